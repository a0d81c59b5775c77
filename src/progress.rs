//! Progress bars on standard error, on a terminal only.

use std::fmt::Write;
use std::time::Duration;

use hetier_traces::PhaseHead;
use hetier_workloads::interpret::Observer;
use indicatif::{HumanDuration, ProgressBar, ProgressState, ProgressStyle};

/// Steps of a bar that shows a fraction.
const STEPS: u64 = 1000;

/// A bar for work whose fraction is known; hidden if standard error is no terminal.
pub fn bar(what: &str) -> ProgressBar {
    let bar = ProgressBar::new(STEPS);
    let style = ProgressStyle::with_template("{msg:24} [{bar:40}] {percent:>3} % {elapsed:>4}{left}");
    if let Ok(style) = style {
        let left = |state: &ProgressState, text: &mut dyn Write| {
            if state.pos() > 0 {
                // A bar that cannot be written is no failure of the work.
                let _ = write!(text, ", {:#} left", HumanDuration(state.eta()));
            }
        };
        bar.set_style(style.with_key("left", left).progress_chars("=> "));
    }
    bar.set_message(what.to_owned());
    bar.enable_steady_tick(Duration::from_millis(200));
    bar
}

/// Shows a fraction in [0, 1].
pub fn show(bar: &ProgressBar, fraction: f64) {
    bar.set_position((fraction.clamp(0.0, 1.0) * STEPS as f64) as u64);
}

/// Shows the phases of a real run on a bar, and passes them on.
pub struct Phases<'b, 'o> {
    /// The bar.
    pub bar: &'b ProgressBar,
    /// Who else wants to know.
    pub next: &'o mut dyn Observer,
}

impl Observer for Phases<'_, '_> {
    fn phase_started(&mut self, index: usize, count: usize, head: &PhaseHead) -> bool {
        self.bar.set_message(format!("run {}", head.name));
        show(self.bar, index as f64 / count as f64);
        self.next.phase_started(index, count, head) && !crate::interrupt::is_pressed()
    }

    fn phase_ended(&mut self, head: &PhaseHead) {
        self.next.phase_ended(head);
    }
}
