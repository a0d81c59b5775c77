//! Modes without near memory: every line lives in the tier that its object was put into.

use super::{LineRequest, Mode, ModeSettings, Plan, need_dram, need_far};
use crate::Error;
use crate::machine::{Layout, Line};
use crate::system::System;

struct Direct {
    tiers: Vec<usize>,
    layout: Layout,
}

impl Mode for Direct {
    fn tiers(&self) -> &[usize] {
        &self.tiers
    }

    fn plan(&mut self, request: LineRequest) -> Plan {
        Plan::single(self.layout.route(Line::unpack(request.line)), request.kind)
    }
}

fn direct(tiers: Vec<usize>, layout: &Layout) -> Box<dyn Mode> {
    Box::new(Direct { tiers, layout: layout.clone() })
}

/// Every line lives in DRAM.
pub(super) fn dram_only(system: &System, layout: &Layout, _: &ModeSettings) -> Result<Box<dyn Mode>, Error> {
    Ok(direct(vec![need_dram(system, "dram-only")?], layout))
}

/// Every line lives in the first tier that is not DRAM; DRAM is idle.
pub(super) fn pmem_only(system: &System, layout: &Layout, _: &ModeSettings) -> Result<Box<dyn Mode>, Error> {
    Ok(direct(vec![need_far(system, "pmem-only")?], layout))
}

/// DRAM and the far tier side by side; the placement says which object lives where.
pub(super) fn app_direct(system: &System, layout: &Layout, _: &ModeSettings) -> Result<Box<dyn Mode>, Error> {
    Ok(direct(vec![need_dram(system, "app-direct")?, need_far(system, "app-direct")?], layout))
}
