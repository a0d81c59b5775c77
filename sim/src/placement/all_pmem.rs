//! Everything in slow memory.

use super::{Choice, Foresight, Newborn, Placement};

struct AllPmem;

impl Placement for AllPmem {
    fn choose(&mut self, _: Newborn) -> Choice {
        Choice::Slow
    }
}

pub(super) fn build(_: &Foresight) -> Box<dyn Placement> {
    Box::new(AllPmem)
}
