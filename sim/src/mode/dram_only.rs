//! DRAM only: every line lives in DRAM.

use super::{LineRequest, Mode, ModeSettings, Plan, need_dram};
use crate::Error;
use crate::machine::{Layout, Line};
use crate::system::System;

struct DramOnly {
    tiers: [usize; 1],
    layout: Layout,
}

impl Mode for DramOnly {
    fn tiers(&self) -> &[usize] {
        &self.tiers
    }

    fn plan(&mut self, request: LineRequest) -> Plan {
        Plan::single(self.layout.route(Line::unpack(request.line)), request.kind)
    }
}

pub(super) fn build(system: &System, layout: &Layout, _: &ModeSettings) -> Result<Box<dyn Mode>, Error> {
    Ok(Box::new(DramOnly { tiers: [need_dram(system, "dram-only")?], layout: layout.clone() }))
}
