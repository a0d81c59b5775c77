//! Cores at work over simulated time.

use crate::result::CpuUseOverTime;

/// Most bins; more makes them twice as wide.
const BINS: usize = 1024;

/// Width of the first bins: 2²⁰ ps, about a microsecond.
const FIRST_SHIFT: u32 = 20;

/// Core time spent other than idle, in bins of equal width.
#[derive(Clone, Debug)]
pub struct CpuUse {
    /// Busy core time of each bin, picoseconds.
    bins: Vec<u64>,
    shift: u32,
    /// End of what is recorded.
    until_ps: u64,
    /// Idle core time up to there.
    idle_ps: u64,
}

impl Default for CpuUse {
    fn default() -> Self {
        Self { bins: Vec::new(), shift: FIRST_SHIFT, until_ps: 0, idle_ps: 0 }
    }
}

impl CpuUse {
    /// Records the stretch up to an instant at which all cores have the same clock, from their number and the idle time
    /// of all of them since the start of the run.
    pub fn meet(&mut self, now_ps: u64, cores: u64, idle_ps: u64) {
        let idle = idle_ps.saturating_sub(self.idle_ps);
        let busy = (now_ps.saturating_sub(self.until_ps) * cores).saturating_sub(idle);
        self.record(now_ps, busy);
        self.idle_ps = idle_ps;
    }

    /// Records the stretch up to an instant until which one core of so many worked. The others' idle time is known to
    /// their own clocks only later, and is then not counted again.
    pub fn alone(&mut self, now_ps: u64, cores: u64) {
        let stretch = now_ps.saturating_sub(self.until_ps);
        self.record(now_ps, stretch);
        self.idle_ps += stretch * (cores - 1);
    }

    /// Spreads busy core time evenly from the end of the record to an instant.
    fn record(&mut self, now_ps: u64, busy_ps: u64) {
        let (from, span) = (self.until_ps, now_ps.saturating_sub(self.until_ps));
        if span == 0 {
            return;
        }
        while (now_ps - 1) >> self.shift >= BINS as u64 {
            self.widen();
        }
        let last = ((now_ps - 1) >> self.shift) as usize;
        self.bins.resize(last + 1, 0);
        // Busy time up to an instant, so that rounding loses nothing.
        let share = |at: u64| (u128::from(busy_ps) * u128::from(at - from) / u128::from(span)) as u64;
        let mut at = from;
        for bin in (from >> self.shift) as usize..=last {
            let end = ((bin as u64 + 1) << self.shift).min(now_ps);
            self.bins[bin] += share(end) - share(at);
            at = end;
        }
        self.until_ps = now_ps;
    }

    fn widen(&mut self) {
        self.shift += 1;
        self.bins = self.bins.chunks(2).map(|pair| pair.iter().sum()).collect();
    }

    /// The record as cores at work in each bin.
    pub fn series(&self) -> CpuUseOverTime {
        let width = (1_u64 << self.shift) as f64;
        let last = self.bins.len().saturating_sub(1);
        let cores = |(bin, busy): (usize, &u64)| {
            // The run ends inside the last bin.
            let covered = self.until_ps.saturating_sub((bin as u64) << self.shift) as f64;
            *busy as f64 / if bin == last { covered.min(width) } else { width }
        };
        CpuUseOverTime {
            bin_seconds: width / 1e12,
            busy_cores: self.bins.iter().enumerate().map(cores).collect(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const BIN: u64 = 1 << FIRST_SHIFT;

    #[test]
    fn serial_stretch_shows_one_core_and_a_region_those_at_work() {
        let mut cpu = CpuUse::default();
        cpu.alone(2 * BIN, 4);
        // All four work for two bins, one of them for half of the time.
        cpu.meet(4 * BIN, 4, 2 * BIN * 3 + BIN);

        assert_eq!(cpu.series().busy_cores, [1.0, 1.0, 3.5, 3.5]);
    }

    #[test]
    fn widening_keeps_the_core_time() {
        let mut cpu = CpuUse::default();
        for step in 1..=5000_u64 {
            cpu.meet(step * BIN, 2, 0);
        }

        let series = cpu.series();
        let last = series.busy_cores.len() - 1;

        assert!(series.busy_cores.len() <= BINS);
        assert!(series.busy_cores[..last].iter().all(|cores| *cores == 2.0), "{:?}", series.busy_cores);
    }
}
