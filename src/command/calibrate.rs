//! `calibrate`: published measurements beside the simulated ones.

mod host;
mod overhead;

use hetier_reports::output;
use hetier_sim::calibrate::{Calibrated, calibrate, markdown, median_error};
use serde_json::json;

use crate::args;
use crate::failure::Outcome;
use crate::{interrupt, progress};

/// Measures every calibration point.
pub fn run(arguments: &args::Calibrate) -> Outcome {
    if arguments.host {
        return host::run(arguments);
    }
    if arguments.overhead {
        return overhead::run(arguments);
    }
    if let Some(path) = &arguments.output {
        output::check_file(path, &[])?;
    }
    let bar = progress::bar("calibrate");
    let table = interrupt::ending_at_once(|| calibrate(&|share| progress::show(&bar, share)));
    bar.finish_and_clear();
    let table = table?;
    if let Some(path) = &arguments.output {
        let head = "# Calibration\n\nWritten by `hetier calibrate -o docs/calibration.md`. The points are rows of \
                    `sim/calibration.csv`; the models are described in `sim/src/calibrate.rs` and in the device files.\n\n";
        output::write_single(path, format!("{head}{}", markdown(&table)).as_bytes())?;
    }
    if arguments.json {
        let joined = json!({ "schema": "hetier-calibrate-1", "points": table, "median_error_percent": median_error(&table) });
        say!("{}", serde_json::to_string_pretty(&joined)?);
    } else {
        print(&table);
    }
    Ok(())
}

fn print(table: &[Calibrated]) {
    let heads = ["point", "system", "published", "simulated", "draws", "error", "measured", "conditions"];
    let [point, system, published, simulated, draws, error, measured, conditions] = heads;
    say!(
        "{point:24} {system:20} {published:>15} {simulated:>11} {draws:>15} {error:>9}  {measured:39} {conditions}"
    );
    for Calibrated { point, simulated, spread, error_percent } in table {
        let published = if point.low == point.high {
            format!("{}", point.low)
        } else {
            format!("{}-{}", point.low, point.high)
        };
        let draws = spread.map_or_else(String::new, |range| format!("{:.2}-{:.2}", range.min, range.max));
        say!(
            "{:24} {:20} {published:>15} {simulated:11.3} {draws:>15} {error_percent:+7.1} %  {:39} {}",
            point.id,
            point.system,
            point.measured(),
            point.conditions()
        );
    }
    for (id, note) in table.iter().filter_map(|row| Some((&row.point.id, row.point.note.as_ref()?))) {
        say!("{id}: {note}");
    }
    say!("median of the absolute errors: {:.1} %", median_error(table));
}
