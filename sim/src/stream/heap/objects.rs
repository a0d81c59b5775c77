//! Where objects are: the block of each, kept for runs of objects of which one at least is alive.
//!
//! A network of a terabyte has hundreds of millions of objects, most of them scratch of one iteration, and a few
//! million that live at the same time.

/// Objects of a run, as a power of two: 4 KiB of block numbers.
const RUN_BITS: u32 = 10;

/// Objects of a run.
const RUN: u32 = 1 << RUN_BITS;

/// No block.
pub const NONE: u32 = u32::MAX;

/// Block by object.
#[derive(Clone, Debug)]
pub struct Objects {
    /// First place of each run's objects in `blocks`; 0, where nothing ever stands, for runs of the dead.
    runs: Vec<u32>,
    /// Block plus one by place; 0 for objects that are not alive.
    blocks: Vec<u32>,
    /// Living objects of the run at each multiple of [`RUN`] places.
    alive: Vec<u32>,
    /// First places that no run has.
    free: Vec<u32>,
}

impl Objects {
    /// So many objects that are not alive.
    pub fn new(objects: u32) -> Self {
        let runs = objects.div_ceil(RUN) as usize;
        Self { runs: vec![0; runs], blocks: vec![0; RUN as usize], alive: vec![0], free: Vec::new() }
    }

    #[inline]
    fn place(&self, object: u32) -> usize {
        (self.runs[(object >> RUN_BITS) as usize] | object & (RUN - 1)) as usize
    }

    /// The block of an object; [`NONE`] if it is not alive.
    #[inline]
    pub fn block(&self, object: u32) -> u32 {
        self.blocks[self.place(object)].wrapping_sub(1)
    }

    /// Puts an object that is not alive into a block.
    #[inline]
    pub fn put(&mut self, object: u32, block: u32) {
        if self.runs[(object >> RUN_BITS) as usize] == 0 {
            self.open(object);
        }
        let place = self.place(object);
        self.alive[place >> RUN_BITS] += u32::from(self.blocks[place] == 0);
        self.blocks[place] = block + 1;
    }

    /// Gives a run its places.
    fn open(&mut self, object: u32) {
        let first = self.free.pop().unwrap_or_else(|| {
            let first = self.blocks.len();
            self.blocks.resize(first + RUN as usize, 0);
            self.alive.push(0);
            first as u32
        });
        self.runs[(object >> RUN_BITS) as usize] = first;
    }

    /// Takes an object that is alive out of its block.
    #[inline]
    pub fn remove(&mut self, object: u32) {
        let place = self.place(object);
        self.blocks[place] = 0;
        let alive = &mut self.alive[place >> RUN_BITS];
        *alive -= 1;
        if *alive == 0 {
            let run = &mut self.runs[(object >> RUN_BITS) as usize];
            self.free.push(std::mem::take(run));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn objects_are_found_where_they_were_put_until_they_are_removed() {
        let mut objects = Objects::new(5 * RUN);
        for object in 0..5 * RUN {
            objects.put(object, object ^ 1);
        }
        (0..5 * RUN).filter(|object| object.is_multiple_of(3)).for_each(|object| objects.remove(object));

        let expected = |object: u32| if object.is_multiple_of(3) { NONE } else { object ^ 1 };
        assert!((0..5 * RUN).all(|object| objects.block(object) == expected(object)));
    }

    #[test]
    fn memory_follows_the_living_not_all_that_ever_lived() {
        let mut objects = Objects::new(1000 * RUN);
        for object in 0..1000 * RUN {
            objects.put(object, object);
            if object >= RUN {
                objects.remove(object - RUN);
            }
        }

        // One run at most is whole, two are begun, and one is of the dead.
        assert!(objects.blocks.len() <= 4 * RUN as usize, "{}", objects.blocks.len());
    }
}
