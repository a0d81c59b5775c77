//! The power budget of a DIMM as energy tokens.

use crate::Picoseconds;

/// Femtojoules a picosecond at one milliwatt.
const FJ_PER_MW_PS: u64 = 1;

/// A bucket of energy that fills at the budget; every media operation takes its energy out.
///
/// The bucket holds a write for each bank, so that an idle DIMM may start all its banks at once and a busy one keeps the
/// budget over every window longer than that (1.7 µs).
#[derive(Clone, Debug)]
pub(super) struct Energy {
    budget_mw: u64,
    depth_fj: u64,
    credit_fj: u64,
    at: Picoseconds,
}

impl Energy {
    /// A full bucket of `depth_fj`, filling at `budget_mw`.
    pub(super) const fn new(budget_mw: u64, depth_fj: u64) -> Self {
        Self { budget_mw, depth_fj, credit_fj: depth_fj, at: Picoseconds::ZERO }
    }

    /// The earliest instant at which `cost_fj` can be paid; `cost_fj` must not exceed the depth.
    pub(super) fn ready(&self, cost_fj: u64) -> Picoseconds {
        let missing = cost_fj.saturating_sub(self.credit_fj);
        self.at + Picoseconds(missing.div_ceil(self.budget_mw * FJ_PER_MW_PS))
    }

    /// Pays `cost_fj` at `now`, which must not lie before [`Energy::ready`].
    pub(super) fn pay(&mut self, now: Picoseconds, cost_fj: u64) {
        self.fill(now);
        self.credit_fj = self.credit_fj.saturating_sub(cost_fj);
    }

    fn fill(&mut self, now: Picoseconds) {
        let elapsed = now.saturating_sub(self.at).0.min(self.depth_fj);
        let income = elapsed.saturating_mul(self.budget_mw * FJ_PER_MW_PS);
        self.credit_fj = self.credit_fj.saturating_add(income).min(self.depth_fj);
        self.at = self.at.max(now);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// One read of 256 B at 270 pJ/bit.
    const READ_FJ: u64 = 2048 * 270_000;

    #[test]
    fn an_operation_is_refused_one_picosecond_before_its_energy_is_there() {
        let mut energy = Energy::new(15_000, READ_FJ);
        energy.pay(Picoseconds::ZERO, READ_FJ);

        assert_eq!(energy.ready(READ_FJ), Picoseconds(36_864));
        assert_eq!(energy.ready(0), Picoseconds::ZERO);
    }

    #[test]
    fn a_long_pause_fills_no_more_than_the_depth() {
        let mut energy = Energy::new(15_000, READ_FJ);
        energy.pay(Picoseconds(u64::MAX / 2), READ_FJ);

        assert_eq!(energy.ready(READ_FJ), Picoseconds(u64::MAX / 2 + 36_864));
    }
}
