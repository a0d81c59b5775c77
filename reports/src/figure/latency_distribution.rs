//! Distribution of read latencies: cumulative, with every further nine as long as the one before.

use hetier_sim::result::{Latency, RunResult};

use super::Figure;
use super::canvas::{LINE, UNITS, draw};
use super::palette::series_stroke;
use super::panel::{Legend, Panel, Sample, X_AXIS_ROOM};
use super::scale::Scale;
use crate::labels::labels;
use crate::table::Table;

const PANEL: f64 = 1.5 * UNITS;

/// The axis ends at 99.99 %.
const NINES: f64 = 4.0;

/// The share at the end of the axis.
fn limit() -> f64 {
    1.0 - 10f64.powf(-NINES)
}

/// Shares whose latency is marked, by their names in the result.
type Percentile = (f64, fn(&Latency) -> f64);
const MARKED: [Percentile; 3] =
    [(0.5, |latency| latency.p50), (0.99, |latency| latency.p99), (0.999, |latency| latency.p999)];

/// Latency of read misses of the last-level cache.
pub struct LatencyDistribution;

impl Figure<[RunResult]> for LatencyDistribution {
    fn name(&self) -> &'static str {
        "latency-distribution"
    }

    fn caption(&self) -> &'static str {
        "Cumulative distribution of the latency of read misses of the last-level cache, core to data. Marks are \
         p50, p99 and p99.9. The axis, and with it the curves, ends at 99.99 %; the numbers go on to the slowest read."
    }

    fn data(&self, results: &[RunResult]) -> Table {
        let mut table = Table::new(&["run", "latency_ns", "count", "cumulative_share"]);
        for (label, latency) in measured(results) {
            let shares = shares(latency);
            for (bucket, (_, share)) in latency.buckets.iter().zip(shares) {
                table.push(vec![
                    label.clone(),
                    bucket.ns.to_string(),
                    bucket.count.to_string(),
                    share.to_string(),
                ]);
            }
        }
        table
    }

    fn svg(&self, results: &[RunResult]) -> Option<String> {
        let measured = measured(results);
        let x = span(&measured)?;
        let legend = Legend::new(measured.iter().enumerate().map(|(at, (label, _))| {
            (Sample::Line(series_stroke(series_of(results, label, at))), label.clone())
        }));
        let top = legend.height() + 0.2 * LINE;
        let panel = Panel::wide(top, top + PANEL, x, Scale::Nines { nines: NINES });
        Some(draw(
            top + PANEL + X_AXIS_ROOM,
            "Cumulative distribution of read latency by memory mode",
            |canvas| {
                legend.draw(canvas);
                panel.x_grid(canvas);
                panel.y_axis(canvas, "read misses within (%)");
                for (at, (label, latency)) in measured.iter().enumerate() {
                    let stroke = series_stroke(series_of(results, label, at));
                    canvas.line(&curve(&panel, latency), stroke);
                    for (share, value) in MARKED {
                        canvas.diamond(panel.place(value(latency), share), stroke.colour);
                    }
                }
                panel.frame(canvas);
                panel.x_axis(canvas, "latency (ns)");
            },
        ))
    }
}

/// A run keeps its colour when others have nothing to show.
fn series_of(results: &[RunResult], label: &str, otherwise: usize) -> usize {
    labels(results).iter().position(|one| one == label).unwrap_or(otherwise)
}

fn measured(results: &[RunResult]) -> Vec<(String, &Latency)> {
    let latencies = results.iter().map(|result| result.read_latency_ns.as_ref());
    let pairs = labels(results).into_iter().zip(latencies);
    pairs
        .filter_map(|(label, latency)| Some((label, latency?)))
        .filter(|(_, latency)| !latency.buckets.is_empty())
        .collect()
}

/// Upper edge and cumulative share of each bucket.
fn shares(latency: &Latency) -> Vec<(f64, f64)> {
    let total: u64 = latency.buckets.iter().map(|bucket| bucket.count).sum();
    let mut sum = 0;
    let mut share = |count| {
        sum += count;
        sum as f64 / total.max(1) as f64
    };
    latency.buckets.iter().map(|bucket| (bucket.ns, share(bucket.count))).collect()
}

/// From the fastest to where the last curve leaves the figure.
fn span(measured: &[(String, &Latency)]) -> Option<Scale> {
    let first = measured.iter().map(|(_, latency)| latency.buckets[0].ns).reduce(f64::min)?;
    let leaves = |latency: &Latency| {
        shares(latency).into_iter().find(|&(_, share)| share >= limit()).map_or(latency.max, |(ns, _)| ns)
    };
    let last = measured.iter().map(|(_, latency)| leaves(latency)).reduce(f64::max)?;
    Some(Scale::logarithmic(first * 0.95, last * 1.05))
}

/// Steps up at the upper edge of each bucket, to the end of the axis; those too close to see are left out.
fn curve(panel: &Panel, latency: &Latency) -> Vec<super::canvas::Place> {
    let mut places = vec![panel.place(latency.buckets[0].ns, 0.0)];
    let mut height = panel.bottom;
    for (ns, share) in shares(latency) {
        let (x, y) = panel.place(ns, share);
        let is_last = share >= limit();
        if height - y >= 2.0 || is_last {
            places.push((x, height));
            places.push((x, y));
            height = y;
        }
        if is_last {
            break;
        }
    }
    places.dedup();
    places
}

#[cfg(test)]
mod tests {
    use hetier_sim::result::Bucket;

    use super::*;

    #[test]
    fn a_curve_ends_where_it_reaches_the_end_of_the_axis() {
        let bucket = |(ns, count)| Bucket { ns, count };
        let buckets = [(100.0, 99_980), (200.0, 15), (300.0, 3), (400.0, 2)].map(bucket).to_vec();
        let latency = Latency { buckets, max: 400.0, ..Latency::default() };
        let panel = Panel::wide(0.0, PANEL, Scale::logarithmic(50.0, 1000.0), Scale::Nines { nines: NINES });

        let curve = curve(&panel, &latency);

        // 99.98 % and 99.995 % of the reads: the second is beyond the axis.
        let at_the_edge: Vec<_> = curve.iter().filter(|place| place.1 <= panel.top).collect();
        assert_eq!(at_the_edge, [&(panel.across(200.0), panel.top)]);
        assert_eq!(curve.last(), Some(&(panel.across(200.0), panel.top)));
        assert!(LatencyDistribution.caption().contains(&format!("{} %", limit() * 100.0)));
    }
}
