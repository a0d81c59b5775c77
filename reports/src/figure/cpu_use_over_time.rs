//! Cores at work over time, a panel for each result.

use hetier_sim::result::{CpuUseOverTime, RunResult};

use super::Figure;
use super::canvas::{Anchor, LINE, POINT, UNITS, draw};
use super::palette::series_stroke;
use super::panel::{Panel, X_AXIS_ROOM, titles};
use super::scale::Scale;
use crate::labels::labels;
use crate::table::Table;
use crate::units::{Unit, time_unit};

/// Most steps of a curve; more bins are averaged together.
const STEPS: usize = 260;

const PANEL: f64 = 0.7 * UNITS;

/// Mean number of cores that are not idle.
pub struct CpuUse;

impl Figure<[RunResult]> for CpuUse {
    fn name(&self) -> &'static str {
        "cpu-use-over-time"
    }

    fn caption(&self) -> &'static str {
        "Cores that are not idle over simulated time; those that wait for memory count as busy. Each panel has its own \
         time axis. A curve has 260 steps at most, means of the bins in the numbers."
    }

    fn data(&self, results: &[RunResult]) -> Table {
        let mut table = Table::new(&["run", "seconds", "busy_cores"]);
        for (label, result) in labels(results).into_iter().zip(results) {
            let Some(cpu) = &result.cpu_use_over_time else { continue };
            for (bin, cores) in cpu.busy_cores.iter().enumerate() {
                let from = bin as f64 * cpu.bin_seconds;
                table.push(vec![label.clone(), from.to_string(), cores.to_string()]);
            }
        }
        table
    }

    fn svg(&self, results: &[RunResult]) -> Option<String> {
        let panels: Vec<(String, &RunResult, &CpuUseOverTime)> = labels(results)
            .into_iter()
            .zip(results)
            .filter_map(|(name, result)| Some((name, result, result.cpu_use_over_time.as_ref()?)))
            .filter(|(_, _, cpu)| cpu.busy_cores.iter().any(|cores| *cores > 0.0))
            .collect();
        let names: Vec<String> = panels.iter().map(|(name, _, _)| name.clone()).collect();
        let units: Vec<Unit> = panels.iter().map(|(_, _, cpu)| time_unit(end_of(cpu))).collect();
        let last = panels.len().checked_sub(1)?;
        let pitch = LINE + PANEL + LINE + 4.0 * POINT;
        let height = panels.len() as f64 * pitch + X_AXIS_ROOM - LINE;
        Some(draw(height, "Curves of busy cores over time", |canvas| {
            for (at, (title, (_, result, cpu))) in titles(&names, &units).iter().zip(&panels).enumerate() {
                let top = at as f64 * pitch + LINE;
                let unit = units[at];
                let end = end_of(cpu) * unit.factor;
                let y = Scale::from_zero(f64::from(result.threads));
                let panel = Panel::wide(top, top + PANEL, Scale::exactly(end), y);
                canvas.text((panel.left, top - 0.55 * LINE), title, Anchor::Start);
                panel.y_axis(canvas, "cores");
                let points: Vec<(f64, f64)> =
                    averaged(cpu).into_iter().map(|(x, cores)| (x * unit.factor, cores)).collect();
                canvas.line(&panel.steps(&points, end), series_stroke(0));
                panel.frame(canvas);
                let time = format!("simulated time ({})", unit.symbol);
                panel.x_axis(canvas, if at == last { &time } else { "" });
            }
        }))
    }
}

fn end_of(cpu: &CpuUseOverTime) -> f64 {
    cpu.busy_cores.len() as f64 * cpu.bin_seconds
}

fn averaged(cpu: &CpuUseOverTime) -> Vec<(f64, f64)> {
    let together = cpu.busy_cores.len().div_ceil(STEPS).max(1);
    let group = |(at, group): (usize, &[f64])| {
        ((at * together) as f64 * cpu.bin_seconds, group.iter().sum::<f64>() / group.len() as f64)
    };
    cpu.busy_cores.chunks(together).enumerate().map(group).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn result(busy_cores: Vec<f64>) -> RunResult {
        let cpu_use_over_time = Some(CpuUseOverTime { bin_seconds: 0.5, busy_cores });
        RunResult { mode: "dram-only".to_owned(), threads: 4, cpu_use_over_time, ..RunResult::default() }
    }

    #[test]
    fn a_row_for_each_bin_and_a_panel_for_each_run_with_data() {
        let results = [result(vec![1.0, 4.0]), RunResult { threads: 4, ..RunResult::default() }];

        assert_eq!(CpuUse.data(&results).shown(), [["dram-only", "0", "1"], ["dram-only", "0.5", "4"]]);
        assert!(CpuUse.svg(&results).is_some());
        assert!(CpuUse.svg(&[RunResult::default()]).is_none());
    }

    #[test]
    fn the_caption_says_how_many_steps_are_drawn() {
        assert!(CpuUse.caption().contains(&format!("{STEPS} ")), "{}", CpuUse.caption());
    }
}
