//! App Direct: DRAM and the far tier side by side; the placement says which object lives where.

use super::{LineRequest, Mode, ModeSettings, Plan, need_dram, need_far};
use crate::Error;
use crate::machine::{Layout, Line};
use crate::system::System;

struct AppDirect {
    tiers: [usize; 2],
    layout: Layout,
}

impl Mode for AppDirect {
    fn tiers(&self) -> &[usize] {
        &self.tiers
    }

    fn plan(&mut self, request: LineRequest) -> Plan {
        Plan::single(self.layout.route(Line::unpack(request.line)), request.kind)
    }
}

pub(super) fn build(system: &System, layout: &Layout, _: &ModeSettings) -> Result<Box<dyn Mode>, Error> {
    let tiers = [need_dram(system, "app-direct")?, need_far(system, "app-direct")?];
    Ok(Box::new(AppDirect { tiers, layout: layout.clone() }))
}
