//! `calibrate`: published measurements beside the simulated ones.

mod host;
mod overhead;

use std::fs;

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
        if let Some(folder) = path.parent() {
            // A folder that cannot be made shows in the check that follows.
            let _ = fs::create_dir_all(folder);
        }
        output::check_file(path)?;
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
    say!("{:44} {:20} {:>18} {:>12} {:>9}", "point", "system", "published", "simulated", "error");
    for Calibrated { point, simulated, error_percent } in table {
        let published = if point.low == point.high {
            format!("{}", point.low)
        } else {
            format!("{}-{}", point.low, point.high)
        };
        say!("{:44} {:20} {published:>18} {simulated:12.3} {error_percent:+8.1} %", point.id, point.system);
    }
    say!("median of the absolute errors: {:.1} %", median_error(table));
}
