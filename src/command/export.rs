//! `export`: the lines behind the caches of a machine, for another simulator.

use std::ops::ControlFlow;

use hetier_reports::{output, units};
use hetier_sim::fidelity::Fidelity;
use hetier_sim::foreign::capture::{Capture, Captured, capture};
use hetier_sim::foreign::export::ExportFormat;
use hetier_sim::pages::choose;
use hetier_sim::replay::{DramSize, Settings};
use hetier_traces::read_file;
use serde_json::json;

use crate::args;
use crate::failure::{Failure, Outcome};
use crate::{interrupt, machine, progress, unused};

/// Replays a trace line by line and writes what reaches the memory controllers.
pub fn run(arguments: &args::Export) -> Outcome {
    let (system, settings) = machine::load(&arguments.machine)?;
    let fidelity = choose("fidelity", &arguments.machine.run.fidelity, &Fidelity::ALL)?;
    if fidelity == Fidelity::Stream || arguments.machine.run.seeds > 1 {
        return Err(Failure::usage("export: lines come from one replay at line fidelity, of one seed"));
    }
    let dram = machine::dram_size(&arguments.machine, DramSize::System)?;
    let settings = Settings { mode: arguments.mode.clone(), dram, ..settings };
    unused::of_machine(&arguments.machine, &[settings.mode_on(&system)])?;
    let wanted = Capture {
        format: ExportFormat::named(&arguments.format)?,
        tier: arguments.tier.clone(),
        most_lines: arguments.max_lines,
    };
    output::check_file(&arguments.output, &[&arguments.trace])?;
    let trace = read_file(&arguments.trace)?;
    let captured = output::write_streamed(&arguments.output, |file| {
        let bar = progress::bar("export");
        let captured = capture(&trace, &system, &settings, &wanted, file, &mut |share| {
            progress::show(&bar, share);
            if interrupt::is_pressed() { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
        });
        bar.finish_and_clear();
        captured.map_err(|error| match error {
            hetier_sim::Error::Export(source) => {
                let file = arguments.output.clone();
                Failure::from(hetier_reports::Error::File { file, source })
            }
            error => error.into(),
        })
    })?;
    let dram_note = |bytes| machine::dram_note(&system, settings.mode_on(&system), bytes);
    captured.dram_bytes.and_then(dram_note).iter().for_each(|note| tell!("{note}"));
    report(arguments, &captured)
}

fn report(arguments: &args::Export, captured: &Captured) -> Outcome {
    let Captured { reads, writes, result, .. } = captured;
    if result.is_none() {
        let most = arguments.max_lines;
        tell!("warning: cut after {most} lines, the replay has more (--max-lines N for another limit)");
    }
    if arguments.json {
        let report = json!({
            "schema": "hetier-export-1",
            "format": arguments.format,
            "reads": reads,
            "writes": writes,
            "is_capped": result.is_none(),
            "simulated_seconds": result.as_ref().map(|result| result.simulated_seconds),
        });
        say!("{}", serde_json::to_string_pretty(&report)?);
        return Ok(());
    }
    let path = arguments.output.display();
    let [lines, reads, writes] = [reads + writes, *reads, *writes].map(units::count);
    say!("{path}: {lines} lines written, {reads} of them reads and {writes} writes");
    Ok(())
}
