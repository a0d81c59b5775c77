//! PMem only: every line lives in the first tier that is not DRAM; DRAM is idle.

use super::{LineRequest, Mode, ModeSettings, Plan, need_far};
use crate::Error;
use crate::machine::{Layout, Line};
use crate::system::System;

struct PmemOnly {
    tiers: [usize; 1],
    layout: Layout,
}

impl Mode for PmemOnly {
    fn tiers(&self) -> &[usize] {
        &self.tiers
    }

    fn plan(&mut self, request: LineRequest) -> Plan {
        Plan::single(self.layout.route(Line::unpack(request.line)), request.kind)
    }
}

pub(super) fn build(system: &System, layout: &Layout, _: &ModeSettings) -> Result<Box<dyn Mode>, Error> {
    Ok(Box::new(PmemOnly { tiers: [need_far(system, "pmem-only")?], layout: layout.clone() }))
}
