//! Live and resident bytes over simulated time, thinned to a bounded number of points that keep the peaks.

use hetier_traces::Class;

use crate::result::FootprintPoint;

/// Most points kept; more are thinned to half.
const POINTS: usize = 2048;

#[derive(Clone, Copy, Debug, Default)]
struct Point {
    at: u64,
    live: [u64; Class::ALL.len()],
    resident: u64,
}

impl Point {
    fn total(&self) -> u64 {
        self.live.iter().sum()
    }
}

/// The record of the footprint.
#[derive(Clone, Debug, Default)]
pub struct Footprint {
    now: Point,
    total: u64,
    points: Vec<Point>,
    /// Time that a point stands for.
    width: u64,
    peak_live: u64,
    peak_resident: u64,
}

impl Footprint {
    /// Notes a birth at an instant in picoseconds.
    pub fn born(&mut self, at: u64, class: u8, bytes: u64, resident: u64) {
        self.now.live[usize::from(class)] += bytes;
        self.total += bytes;
        self.note(at, resident);
    }

    /// Notes a death.
    pub fn died(&mut self, at: u64, class: u8, bytes: u64, resident: u64) {
        self.now.live[usize::from(class)] -= bytes;
        self.total -= bytes;
        self.note(at, resident);
    }

    /// Notes what is live by class, after any number of births and deaths.
    pub fn set_live(&mut self, at: u64, live: [u64; Class::ALL.len()], resident: u64) {
        self.now.live = live;
        self.total = live.iter().sum();
        self.note(at, resident);
    }

    fn note(&mut self, at: u64, resident: u64) {
        // Cores are apart by less than a quantum; the record ascends.
        self.now.at = at.max(self.now.at);
        self.now.resident = resident;
        self.peak_live = self.peak_live.max(self.total);
        self.peak_resident = self.peak_resident.max(resident);
        let now = self.now;
        let width = self.width;
        // Two points for each stretch of time: its highest and its latest.
        if let [.., first, highest, latest] = &mut self.points[..]
            && now.at < first.at.saturating_add(width)
        {
            if latest.total() > highest.total() {
                *highest = *latest;
            }
            *latest = now;
            return;
        }
        self.points.push(now);
        if self.points.len() >= POINTS {
            self.thin();
        }
    }

    fn thin(&mut self) {
        let span = self.points.last().map_or(0, |last| last.at) + 1;
        self.width = (span / (POINTS as u64 / 8)).max(self.width * 2).max(1);
        let old = std::mem::take(&mut self.points);
        for stretch in old.chunk_by(|a, b| a.at / self.width == b.at / self.width) {
            let highest = stretch.iter().max_by_key(|point| point.total());
            let latest = stretch.last();
            self.points.extend(stretch.first());
            self.points.extend(highest);
            self.points.extend(latest);
        }
    }

    /// Most live bytes at once.
    pub const fn peak_live(&self) -> u64 {
        self.peak_live
    }

    /// Most bytes held by the process at once.
    pub const fn peak_resident(&self) -> u64 {
        self.peak_resident
    }

    /// The record, ascending by time.
    pub fn series(&self) -> Vec<FootprintPoint> {
        let mut points = self.points.clone();
        points.sort_by_key(|point| point.at);
        points.dedup_by(|later, earlier| later.at == earlier.at && later.total() <= earlier.total());
        points.iter().map(named).collect()
    }
}

fn named(point: &Point) -> FootprintPoint {
    let live = Class::ALL.into_iter().zip(point.live).filter(|(_, bytes)| *bytes > 0);
    FootprintPoint {
        seconds: point.at as f64 / 1e12,
        live_bytes: live.map(|(class, bytes)| (class.name().to_owned(), bytes)).collect(),
        resident_bytes: point.resident,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn thinning_keeps_the_peak_and_the_end() {
        let mut footprint = Footprint::default();
        for step in 0..100_000_u64 {
            let bytes = if step == 77_777 { 1_000_000 } else { 10 };
            footprint.born(step * 1000, 0, bytes, 5_000_000);
            footprint.died(step * 1000 + 1, 0, bytes, 5_000_000);
        }

        let series = footprint.series();

        let highest = series.iter().flat_map(|point| point.live_bytes.values()).max();
        assert!(series.len() <= POINTS, "{}", series.len());
        assert_eq!((footprint.peak_live(), highest), (1_000_000, Some(&1_000_000)));
        assert!(series.is_sorted_by(|a, b| a.seconds <= b.seconds));
        assert!(series.last().unwrap().live_bytes.is_empty());
    }
}
