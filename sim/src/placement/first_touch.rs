//! Fast memory while there is room, then slow memory: what an operating system does with two NUMA nodes.

use super::{Choice, Foresight, Newborn, Placement};
use crate::Error;

struct FirstTouch;

impl Placement for FirstTouch {
    fn choose(&mut self, newborn: Newborn) -> Choice {
        if newborn.bytes <= newborn.fast_room { Choice::Fast } else { Choice::Slow }
    }
}

pub(super) fn build(_: &Foresight<'_>) -> Result<Box<dyn Placement>, Error> {
    Ok(Box::new(FirstTouch))
}
