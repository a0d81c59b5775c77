//! Memory tiers as servers with a calendar, slower to answer the busier they are.
//!
//! One server stands for the channels that one tier has on one socket. A core that fetches `n` lines is held by the
//! longer of two: its own limit (lines in flight, so `n` times the latency under the present load over their number)
//! and the queue (when the server has served everything asked of it before, and these). Its load is measured over
//! a window that grows with the number of cores, so it follows the phases of a run.

use super::calendar::Calendar;
use super::waits::Waits;
use crate::stream::behaviour::{LEAST_LANES, LOAD_STEPS, Load, TierBehaviour, crowding};

/// Reads among lines that count at least: a window of hardly anything but writes does not say how long reads wait.
const LEAST_SHARE: f64 = 0.1;

/// What a fetch costs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Fetched {
    /// Femtoseconds that one line holds a core, given what cores have in flight.
    pub line_fs: u64,
    /// When the last line is there, at the earliest.
    pub done_ps: u64,
}

/// Lines of one request to a server.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Work {
    /// Lines read.
    pub reads: u64,
    /// Lines written; nobody waits for them but those who come later.
    pub writes: u64,
    /// Those of the lines read that loads wait for here.
    pub awaited: u64,
}

/// The channels of one tier on one socket.
#[derive(Clone, Debug)]
pub struct Server {
    behaviour: TierBehaviour,
    calendar: Calendar,
    /// Present window: start, latest request, femtoseconds of service, requests, lines by direction.
    window_start_ps: u64,
    window_end_ps: u64,
    window_service_fs: u64,
    window_requests: u32,
    window_lines: [u64; 2],
    /// Cores that asked in this window, as a bit set.
    window_cores: u128,
    /// Lanes of those cores.
    window_lanes: u32,
    /// Requests that end a window.
    window_length: u32,
    /// Service per line at the present mix and crowd.
    line_fs: u64,
    /// Cores that asked in the last window.
    crowd: u32,
    /// Read share of the last window.
    share: f64,
    /// Step of the load tables.
    pub step: usize,
    /// Reading from the own socket and from another, at the present mix and step.
    load: [Load; 2],
    /// All lines by direction.
    pub lines: [u64; 2],
    /// How loads waited, for the latency histogram.
    pub waits: Waits,
}

impl Server {
    /// An idle server shared by so many cores.
    pub fn new(behaviour: TierBehaviour, cores: usize) -> Self {
        let line_fs = behaviour.service_fs(1.0, LEAST_LANES);
        let load = behaviour.load(1.0, 0, 0.0);
        Self {
            behaviour,
            calendar: Calendar::new(),
            window_start_ps: 0,
            window_end_ps: 0,
            window_service_fs: 0,
            window_requests: 0,
            window_lines: [0; 2],
            window_cores: 0,
            window_lanes: 0,
            window_length: (4 * cores as u32).max(16),
            line_fs,
            crowd: 1,
            share: 1.0,
            step: 0,
            load,
            lines: [0; 2],
            waits: Waits::default(),
        }
    }

    /// What the server was made from.
    pub const fn behaviour(&self) -> &TierBehaviour {
        &self.behaviour
    }

    /// Reads among all lines so far, in [0, 1].
    pub fn read_share(&self) -> f64 {
        let [reads, writes] = self.lines;
        reads as f64 / (reads + writes).max(1) as f64
    }

    /// Femtoseconds between the lines of one core's stream: as it holds a core of the same socket at the present load,
    /// or as the server takes the cores in turn.
    pub fn pace_fs(&self) -> u64 {
        self.load[0].line_fs.max(self.line_fs * u64::from(self.crowd))
    }

    /// How long lines may take that would take `alone_fs`: a core's wait for one of each other core's and for what those
    /// write meanwhile, because no core has more in flight than its buffers hold. A request that is simulated whole
    /// can lie behind all of another.
    pub fn longest_fs(&self, alone_fs: u64) -> u64 {
        let turn_fs = self.line_fs as f64 * f64::from(self.crowd) / self.share.max(LEAST_SHARE);
        (alone_fs as f64 * (1.0 + turn_fs / self.load[0].line_fs.max(1) as f64)) as u64
    }

    /// Takes work off the server's time, for a core with so many lanes, of the same socket or another; says how many lines,
    /// by direction, are served in which stretch of time, by its start and length.
    #[inline]
    pub fn serve(
        &mut self,
        now_ps: u64,
        (core, lanes): (usize, u32),
        work: Work,
        is_remote: bool,
        mut served: impl FnMut([u64; 2], u64, u64),
    ) -> Fetched {
        let lines = work.reads + work.writes;
        let service_fs = lines * self.line_fs;
        if self.window_cores >> core & 1 == 0 {
            self.window_cores |= 1 << core;
            self.window_lanes += lanes.max(LEAST_LANES);
        }
        self.window_end_ps = self.window_end_ps.max(now_ps);
        let service_ps = service_fs / 1000;
        let (mut until_ps, mut before) = (0, [0; 2]);
        let done_ps = self.calendar.reserve(now_ps, service_ps, |from_ps, taken_ps| {
            until_ps += taken_ps;
            let share =
                |lines: u64| if until_ps == service_ps { lines } else { lines * until_ps / service_ps };
            let after = [work.reads, work.writes].map(share);
            served([after[0] - before[0], after[1] - before[1]], from_ps, taken_ps);
            before = after;
        });
        self.lines = [self.lines[0] + work.reads, self.lines[1] + work.writes];
        self.window_lines = [self.window_lines[0] + work.reads, self.window_lines[1] + work.writes];
        self.window_service_fs += service_fs;
        self.window_requests += 1;
        if self.window_requests >= self.window_length {
            self.roll();
        }
        Fetched { line_fs: self.load[usize::from(is_remote)].line_fs, done_ps }
    }

    /// Starts a window, setting load and mix from the last.
    #[cold]
    fn roll(&mut self) {
        let span_fs = self.window_end_ps.saturating_sub(self.window_start_ps).max(1) * 1000;
        self.crowd = self.window_cores.count_ones();
        let utilisation = self.window_service_fs as f64 / span_fs as f64;
        let crowding = crowding(utilisation, self.crowd as usize);
        self.step = ((crowding * LOAD_STEPS as f64) as usize).min(LOAD_STEPS - 1);
        let [reads, writes] = self.window_lines;
        self.share = reads as f64 / (reads + writes).max(1) as f64;
        self.line_fs = self.behaviour.service_fs(self.share, self.window_lanes);
        self.load = self.behaviour.load(self.share, self.step, utilisation);
        self.begin(self.window_end_ps);
    }

    fn begin(&mut self, now_ps: u64) {
        (self.window_start_ps, self.window_end_ps) = (now_ps, now_ps);
        (self.window_service_fs, self.window_requests, self.window_lines) = (0, 0, [0; 2]);
        (self.window_cores, self.window_lanes) = (0, 0);
    }

    /// Goes on after a stretch of time that is not simulated, as busy as before.
    pub const fn skip(&mut self, by_ps: u64) {
        (self.window_start_ps, self.window_end_ps) =
            (self.window_start_ps + by_ps, self.window_end_ps + by_ps);
    }

    /// Forgets the load: a barrier has emptied the queues, and so many cores go on.
    pub fn rest(&mut self, now_ps: u64, cores: usize) {
        self.step = 0;
        self.line_fs = self.behaviour.service_fs(self.share, cores as u32 * LEAST_LANES);
        self.load = self.behaviour.load(self.share, self.step, 0.0);
        self.begin(now_ps);
    }
}
