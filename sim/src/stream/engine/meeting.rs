//! Where all cores wait for one: barriers, and the serial time of what was written.

use super::Engine;
use crate::core::Source;

impl Engine<'_> {
    /// Core 0 spends the overhead of the ciphertexts written since the last time, while the others wait. Windows of a
    /// serial loop are measured without.
    pub(super) fn charge_written(&mut self) {
        if self.sampling.in_loop {
            return;
        }
        let serial = self.due_ps();
        if serial > 0 {
            self.cores[0].clock_ps += serial;
            self.cores[0].stalls[usize::from(Source::OVERHEAD.0)] += serial;
            self.cpu_use.alone(self.cores[0].clock_ps, self.cores.len() as u64);
            self.meet();
        }
    }

    /// Overhead of the ciphertexts written since it was last asked for.
    pub(in crate::stream) fn due_ps(&mut self) -> u64 {
        let written = self.heap.ciphertexts - self.charged_ciphertexts;
        self.charged_ciphertexts += written;
        self.charges.serial(written).0
    }

    /// Overhead of the ciphertexts written that was charged so far.
    pub(in crate::stream) fn serial_ps(&self) -> u64 {
        self.charges.serial(self.charged_ciphertexts).0
    }

    /// All cores wait for the slowest.
    pub(in crate::stream) fn meet(&mut self) {
        let clocks = self.cores.iter().map(|core| core.clock_ps);
        let latest = clocks.max().unwrap_or(0).max(self.latest_ps);
        self.cores.iter_mut().for_each(|core| core.idle_until(latest));
        let idle = self.cores.iter().map(|core| core.stalls[usize::from(Source::IDLE.0)]).sum();
        self.cpu_use.meet(latest, self.cores.len() as u64, idle);
        self.memory.rest(latest, 1);
    }
}
