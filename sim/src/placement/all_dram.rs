//! Everything in fast memory; a run that does not fit is refused.

use super::{Choice, Foresight, Newborn, Placement};
use crate::Error;

struct AllDram;

impl Placement for AllDram {
    fn choose(&mut self, _: Newborn) -> Choice {
        Choice::Fast
    }
}

pub(super) fn build(_: &Foresight<'_>) -> Result<Box<dyn Placement>, Error> {
    Ok(Box::new(AllDram))
}
