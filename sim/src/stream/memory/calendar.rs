//! Reserved time of a server: what each slice of simulated time has left.
//!
//! Calls are simulated whole, so requests of one core lie in the future of cores whose turn comes later. A single
//! next-free time would keep those out of the gaps between; here a request takes what is free from its own instant on,
//! in whichever order requests are made.

/// Slice of time, as a power of two of picoseconds: 4.2 µs, the service of a thousand lines.
const SLICE_BITS: u32 = 22;

/// Picoseconds of a slice.
const SLICE_PS: u64 = 1 << SLICE_BITS;

/// Slices kept at first: 4.3 ms, longer than most calls are. What reaches further makes them more.
const SLICES: usize = 1 << 10;

/// Slices kept at most: 18 s.
const MOST_SLICES: usize = 1 << 22;

/// Slices that the reservations of all cores may reach over, in parts of those kept: cores lag behind each other by as
/// much.
const REACH: u64 = 4;

#[derive(Clone, Copy, Debug, Default)]
struct Slice {
    /// Low half of the number of the slice; another one means that this place is unused.
    number: u32,
    /// Picoseconds reserved.
    used_ps: u32,
}

/// The calendar of one server.
#[derive(Clone, Debug)]
pub struct Calendar {
    slices: Vec<Slice>,
    /// Slices known to be full, first and past the last.
    full: [u64; 2],
}

impl Calendar {
    /// Everything free.
    pub fn new() -> Self {
        Self { slices: vec![Slice::default(); SLICES], full: [0; 2] }
    }

    /// Takes `service_ps` from `now_ps` on and says which stretches of time it takes, each by its start and length; gives
    /// when all is done. Costs about 3 ns for each slice that it takes from.
    #[inline]
    pub fn reserve(&mut self, now_ps: u64, service_ps: u64, mut taken: impl FnMut(u64, u64)) -> u64 {
        let first = now_ps >> SLICE_BITS;
        let is_behind = first >= self.full[0] && first <= self.full[1];
        let mut number = if is_behind { self.full[1] } else { first };
        // What a slice has left is at most what remains of it.
        let mut gone_ps = if number == first { now_ps & (SLICE_PS - 1) } else { 0 };
        let mut left_ps = service_ps;
        loop {
            while (number - first) * REACH >= self.slices.len() as u64 && self.slices.len() < MOST_SLICES {
                self.grow();
            }
            let place = number as usize & (self.slices.len() - 1);
            let slice = &mut self.slices[place];
            if slice.number != number as u32 {
                *slice = Slice { number: number as u32, used_ps: 0 };
            }
            let used_ps = u64::from(slice.used_ps);
            let taken_ps = left_ps.min(SLICE_PS - used_ps.max(gone_ps));
            slice.used_ps += taken_ps as u32;
            left_ps -= taken_ps;
            let from_ps = (number << SLICE_BITS) + used_ps.max(gone_ps);
            taken(from_ps, taken_ps);
            if left_ps == 0 {
                self.note_full(is_behind, first, number);
                return (from_ps + taken_ps).max(now_ps + service_ps);
            }
            (number, gone_ps) = (number + 1, 0);
        }
    }

    /// Keeps twice as many slices.
    #[cold]
    fn grow(&mut self) {
        let count = self.slices.len() * 2;
        let mut more = vec![Slice::default(); count];
        // Slices that were never used have number 0 and would take the place of the one that has.
        for slice in self.slices.iter().filter(|slice| slice.used_ps > 0) {
            more[slice.number as usize & (count - 1)] = *slice;
        }
        self.slices = more;
    }

    /// A request that filled all slices up to `number` makes later ones start there.
    #[inline]
    fn note_full(&mut self, is_behind: bool, first: u64, number: u64) {
        if is_behind {
            self.full[1] = number;
        } else if number > first + 1 {
            self.full = [first + 1, number];
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_free_server_is_done_after_the_service() {
        let mut calendar = Calendar::new();

        assert_eq!(calendar.reserve(5_000, 1_000, |_, _| ()), 6_000);
        assert_eq!(calendar.reserve(10 * SLICE_PS, 3 * SLICE_PS, |_, _| ()), 13 * SLICE_PS);
    }

    #[test]
    fn requests_queue_behind_those_at_the_same_time() {
        let mut calendar = Calendar::new();
        calendar.reserve(0, SLICE_PS, |_, _| ());

        assert_eq!(calendar.reserve(0, SLICE_PS, |_, _| ()), 2 * SLICE_PS);
        assert_eq!(calendar.reserve(0, 10, |_, _| ()), 2 * SLICE_PS + 10);
    }

    #[test]
    fn a_request_made_late_for_an_earlier_time_finds_the_gap() {
        let mut calendar = Calendar::new();
        calendar.reserve(100 * SLICE_PS, 4 * SLICE_PS, |_, _| ());

        assert_eq!(calendar.reserve(SLICE_PS, SLICE_PS, |_, _| ()), 2 * SLICE_PS);
        assert_eq!(calendar.reserve(99 * SLICE_PS, 2 * SLICE_PS, |_, _| ()), 105 * SLICE_PS);
    }

    #[test]
    fn stretches_add_up_to_the_service_and_no_slice_gives_more_than_it_has() {
        let mut calendar = Calendar::new();
        let mut by_slice = [0; 64];
        let mut taken_ps = 0;
        for request in 0..300 {
            calendar.reserve(request * 7_919_777 % (20 * SLICE_PS), SLICE_PS / 7, |from, length| {
                by_slice[(from / SLICE_PS) as usize] += length;
                taken_ps += length;
            });
        }

        assert_eq!(taken_ps, 300 * (SLICE_PS / 7));
        assert!(by_slice.iter().all(|slice| *slice <= SLICE_PS), "{by_slice:?}");
    }

    #[test]
    fn requests_longer_than_what_is_kept_queue_behind_each_other() {
        let mut calendar = Calendar::new();
        let long_ps = 4 * SLICES as u64 * SLICE_PS;
        let done = [0, 1, 2, 3].map(|core| calendar.reserve(core * SLICE_PS, long_ps, |_, _| ()));

        assert_eq!(done, [1, 2, 3, 4].map(|all| all * long_ps));
        assert_eq!(calendar.reserve(SLICE_PS / 2, 10, |_, _| ()), 4 * long_ps + 10);
    }

    #[test]
    fn the_first_slice_keeps_what_it_gave_when_more_are_kept() {
        let mut calendar = Calendar::new();
        calendar.reserve(0, SLICE_PS, |_, _| ());
        calendar.reserve(2 * SLICE_PS, 4 * SLICES as u64 * SLICE_PS, |_, _| ());

        assert_eq!(calendar.reserve(10, 100, |_, _| ()), SLICE_PS + 100);
    }

    #[test]
    fn no_more_is_served_than_time_passes() {
        let mut calendar = Calendar::new();
        let requests = 10_000_u64;
        let last = (0..requests)
            .map(|request| calendar.reserve(request * 7_919 % 1_000_000, SLICE_PS / 16, |_, _| ()))
            .max()
            .unwrap_or(0);

        // The first slice lost what lay before its first request at most; nothing else is idle.
        let served = requests * (SLICE_PS / 16);
        assert!((served..served + 2 * SLICE_PS).contains(&last), "{last} {served}");
    }
}
