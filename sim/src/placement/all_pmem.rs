//! Everything in slow memory.

use super::{Choice, Foresight, Newborn, Placement};
use crate::Error;

struct AllPmem;

impl Placement for AllPmem {
    fn choose(&mut self, _: Newborn) -> Choice {
        Choice::Slow
    }
}

pub(super) fn build(_: &Foresight<'_>) -> Result<Box<dyn Placement>, Error> {
    Ok(Box::new(AllPmem))
}
