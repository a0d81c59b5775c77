//! What recording costs: the digits network run for real with recording on and off in turn, one thread.
//!
//! `cargo bench -p hetier-workloads --bench recording` prints the median of both and of their ratio, run by run.

use std::time::Instant;

use hetier_workloads::interpret::{Memory, Quiet, Run, execute_in};
use hetier_workloads::network::Entry;
use hetier_workloads::program::Options;
use hetier_workloads::ring::Seed;
use hetier_workloads::{Context, Error, Parameters};

/// Pairs of runs.
const PAIRS: usize = 15;

fn main() -> Result<(), Error> {
    let entry = Entry::find("digits")?;
    let network = entry.build(&entry.weights().unwrap_or(hetier_workloads::network::Weights::Seeded(1)))?;
    let images = entry.images().unwrap_or_default();
    let parameters = Parameters::new(&entry.literal())?;
    let program =
        network.lower(&parameters, &Options { images: images.pixels.len(), ..Options::default() })?;
    let context = Context::with_seed(parameters, Seed::fixed(1));
    let memory = Memory::default();
    let time = |record| -> Result<f64, Error> {
        let started = Instant::now();
        execute_in(&memory, &program, &context, &images, Run { threads: 1, record }, &mut Quiet)?;
        Ok(started.elapsed().as_secs_f64())
    };
    time(true)?;
    let (mut on, mut off, mut ratios) = (Vec::new(), Vec::new(), Vec::new());
    for _ in 0..PAIRS {
        let pair = (time(true)?, time(false)?);
        on.push(pair.0);
        off.push(pair.1);
        ratios.push(pair.0 / pair.1);
    }
    println!("recording on   {:8.1} ms", 1e3 * median(on));
    println!("recording off  {:8.1} ms", 1e3 * median(off));
    println!("on / off       {:8.3}", median(ratios));
    Ok(())
}

fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}
