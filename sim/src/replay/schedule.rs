//! How the iterations of a parallel loop are dealt to the threads, chunk by chunk.

use crate::Error;

/// How the iterations of a region are dealt to the threads.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Schedule {
    /// One contiguous run for each thread, the first ones longer by one (OpenMP's default).
    Static,
    /// Chunks of so many iterations, round the threads.
    StaticChunk(u64),
    /// Chunks of so many iterations, to whoever is free.
    Dynamic(u64),
}

impl Schedule {
    /// Reads `static`, `static,N` or `dynamic,N` (`dynamic` is `dynamic,1`).
    ///
    /// # Errors
    /// - [`Error::UnknownName`] for anything else.
    pub fn parse(text: &str) -> Result<Self, Error> {
        let (name, chunk) =
            text.split_once(',').map_or((text, None), |(name, chunk)| (name, Some(chunk.trim())));
        let chunk = chunk.map(|chunk| chunk.parse::<u64>().ok().filter(|chunk| *chunk > 0));
        match (name.trim(), chunk) {
            ("static", None) => Ok(Self::Static),
            ("static", Some(Some(chunk))) => Ok(Self::StaticChunk(chunk)),
            ("dynamic", None) => Ok(Self::Dynamic(1)),
            ("dynamic", Some(Some(chunk))) => Ok(Self::Dynamic(chunk)),
            _ => Err(Error::UnknownName {
                what: "schedule",
                found: text.to_owned(),
                nearest: None,
                known: "static, static,CHUNK, dynamic, dynamic,CHUNK".to_owned(),
            }),
        }
    }

    /// The first iterations of a thread: first and first past them. Dynamic schedules deal when asked.
    pub(crate) fn first(self, thread: u64, threads: u64, iterations: u64) -> (u64, u64) {
        match self {
            Self::Static => static_share(iterations, threads, thread),
            Self::StaticChunk(chunk) => {
                let begin = thread.saturating_mul(chunk).min(iterations);
                (begin, begin.saturating_add(chunk).min(iterations))
            }
            Self::Dynamic(_) => (0, 0),
        }
    }

    /// The iterations behind a chunk that ended at `end`; `None` if there are none. `dealt` are those that a dynamic
    /// schedule has dealt.
    pub(crate) fn next(self, end: u64, threads: u64, iterations: u64, dealt: &mut u64) -> Option<(u64, u64)> {
        let (begin, chunk) = match self {
            Self::Static => return None,
            Self::StaticChunk(chunk) => (end.saturating_add(chunk.saturating_mul(threads - 1)), chunk),
            Self::Dynamic(chunk) => {
                let begin = *dealt;
                *dealt = begin.saturating_add(chunk);
                (begin, chunk)
            }
        };
        (begin < iterations).then(|| (begin, begin.saturating_add(chunk).min(iterations)))
    }
}

/// The iterations of a thread where each has one run of them.
pub(crate) const fn static_share(iterations: u64, threads: u64, thread: u64) -> (u64, u64) {
    let (each, more) = (iterations / threads, iterations % threads);
    let begin = thread * each + if thread < more { thread } else { more };
    (begin, begin + each + (thread < more) as u64)
}

impl std::fmt::Display for Schedule {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Static => write!(formatter, "static"),
            Self::StaticChunk(chunk) => write!(formatter, "static,{chunk}"),
            Self::Dynamic(chunk) => write!(formatter, "dynamic,{chunk}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Iterations of each thread when the threads ask in turn.
    fn deal(schedule: Schedule, threads: u64, iterations: u64) -> Vec<Vec<u64>> {
        let mut dealt = 0;
        let mut shares: Vec<(u64, u64)> =
            (0..threads).map(|thread| schedule.first(thread, threads, iterations)).collect();
        let mut run = vec![Vec::new(); threads as usize];
        let mut is_over = false;
        while !is_over {
            is_over = true;
            for (share, run) in shares.iter_mut().zip(&mut run) {
                run.extend(share.0..share.1);
                let next = schedule.next(share.1, threads, iterations, &mut dealt);
                is_over &= next.is_none();
                *share = next.unwrap_or((iterations, iterations));
            }
        }
        run
    }

    #[test]
    fn every_iteration_is_dealt_once_by_any_chunk() {
        for chunk in [1, 2, 3, 7, 10, 11, u64::MAX / 2, u64::MAX] {
            for schedule in [Schedule::Static, Schedule::StaticChunk(chunk), Schedule::Dynamic(chunk)] {
                let mut all = deal(schedule, 3, 10).concat();
                all.sort_unstable();

                assert!(all.into_iter().eq(0..10), "{schedule}");
            }
        }
    }

    #[test]
    fn static_chunks_go_round_the_threads() {
        let expected = vec![vec![0, 1, 6, 7], vec![2, 3, 8, 9], vec![4, 5]];

        assert_eq!(deal(Schedule::StaticChunk(2), 3, 10), expected);
    }
}
