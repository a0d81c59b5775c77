//! Gate tests: for every DRAM constraint and every shipped DRAM device, one clock early is refused and the clock itself
//! is accepted. Each case is a short command sequence on a bare timing state.

#![expect(clippy::unwrap_used, reason = "what fails here is the test")]

use hetier_sim::device::Kind::{Read, Write};
use hetier_sim::device::dram::{Command, DramConfig, Gates, Timing};
use hetier_sim::device::literal::DeviceConfig;
use hetier_sim::device::shipped::SHIPPED;

const ACTIVATE: Command = Command::Activate;
const PRECHARGE: Command = Command::Precharge;
const READ: Command = Command::Column(Read);
const WRITE: Command = Command::Column(Write);
const READ_CLOSING: Command = Command::ColumnClosing(Read);
const WRITE_CLOSING: Command = Command::ColumnClosing(Write);

fn devices() -> Vec<(&'static str, DramConfig)> {
    let configs = SHIPPED.iter().map(|(name, _)| (*name, DeviceConfig::load(name).unwrap()));
    configs
        .filter_map(|(name, config)| match config {
            DeviceConfig::Dram(dram) => Some((name, dram)),
            _ => None,
        })
        .collect()
}

/// A bank by rank, group and number, of two ranks of the device.
fn bank(dram: &DramConfig, rank: usize, group: usize, number: usize) -> usize {
    let (groups, banks) = (dram.geometry.groups as usize, dram.geometry.banks as usize);
    (rank * groups + group) * banks + number
}

/// Issues `before` as early as each command allows, then asserts that `last` is refused one clock before `gap` clocks
/// after the command number `from` of them, and accepted there.
fn gate(
    name: &str,
    dram: &DramConfig,
    before: &[(Command, usize)],
    last: (Command, usize),
    from: usize,
    gap: u64,
) {
    let (groups, banks) = (dram.geometry.groups as usize, dram.geometry.banks as usize);
    let mut gates = Gates::new(dram.timing, 2, groups, banks);
    let mut issued = Vec::new();
    for (command, bank) in before {
        let at = gates.earliest(*command, *bank).max(gates.command_free());
        gates.issue(*command, *bank, at).unwrap();
        issued.push(at);
    }
    let at = issued[from] + gap;
    let early = gates.clone().issue(last.0, last.1, at - 1);
    assert!(early.is_err(), "{name}: {before:?} then {last:?} one clock before {gap} was accepted");
    gates.issue(last.0, last.1, at).unwrap_or_else(|error| panic!("{name}: {before:?} then {error}"));
}

fn every(case: impl Fn(&str, &DramConfig, &Timing)) {
    let devices = devices();
    assert!(devices.len() >= 5);
    for (name, dram) in devices {
        case(name, &dram, &dram.timing);
    }
}

#[test]
fn one_bank_obeys_rcd_ras_rp_and_rc() {
    every(|name, dram, timing| {
        let a = bank(dram, 0, 0, 0);
        gate(name, dram, &[(ACTIVATE, a)], (READ, a), 0, timing.rcd);
        gate(name, dram, &[(ACTIVATE, a)], (WRITE, a), 0, timing.rcd);
        gate(name, dram, &[(ACTIVATE, a)], (PRECHARGE, a), 0, timing.ras);
        gate(name, dram, &[(ACTIVATE, a), (PRECHARGE, a)], (ACTIVATE, a), 1, timing.rp);
        gate(name, dram, &[(ACTIVATE, a), (PRECHARGE, a)], (ACTIVATE, a), 0, timing.ras + timing.rp);
    });
}

#[test]
fn a_row_is_not_closed_before_its_data_has_moved() {
    every(|name, dram, timing| {
        let a = bank(dram, 0, 0, 0);
        // Reads until tRTP, not tRAS, is the later gate.
        let mut reads = vec![(ACTIVATE, a)];
        reads.extend([(READ, a); 9]);
        gate(name, dram, &reads, (PRECHARGE, a), 9, timing.rtp);
        let recovery = timing.cwl + timing.burst + timing.wr;
        gate(name, dram, &[(ACTIVATE, a), (WRITE, a)], (PRECHARGE, a), 1, recovery);
        gate(name, dram, &[(ACTIVATE, a), (WRITE_CLOSING, a)], (ACTIVATE, a), 1, recovery + timing.rp);
        gate(name, dram, &[(ACTIVATE, a), (READ_CLOSING, a)], (ACTIVATE, a), 0, timing.ras + timing.rp);
        reads.push((READ_CLOSING, a));
        gate(name, dram, &reads, (ACTIVATE, a), 10, timing.rtp + timing.rp);
    });
}

#[test]
fn activates_of_a_rank_obey_rrd_short_and_long() {
    every(|name, dram, timing| {
        let (a, same, other) = (bank(dram, 0, 0, 0), bank(dram, 0, 0, 1), bank(dram, 0, 1, 0));
        gate(name, dram, &[(ACTIVATE, a)], (ACTIVATE, same), 0, timing.rrd_l);
        gate(name, dram, &[(ACTIVATE, a)], (ACTIVATE, other), 0, timing.rrd_s);
    });
}

#[test]
fn fifth_activate_within_faw_waits() {
    every(|name, dram, timing| {
        // Groups in turn, so that only tRRD_S separates the first four.
        let banks: Vec<_> = (0..5).map(|n| (ACTIVATE, bank(dram, 0, n % 4, n / 4))).collect();
        let gap = timing.faw.max(4 * timing.rrd_s);
        gate(name, dram, &banks[..4], banks[4], 0, gap);
        assert!(timing.faw >= 16, "{name}: four activates at tRRD_S do not fill the window");
    });
}

#[test]
fn activates_of_two_ranks_do_not_wait_for_each_other() {
    every(|name, dram, timing| {
        let banks: Vec<_> = (0..4).map(|n| (ACTIVATE, bank(dram, 0, n, 0))).collect();
        gate(name, dram, &banks, (ACTIVATE, bank(dram, 1, 0, 0)), 3, timing.command);
    });
}

/// Two banks opened long ago, as the start of a sequence, then the command in question.
fn opened(a: usize, b: usize, command: Command) -> Vec<(Command, usize)> {
    // The first read waits for tRCD of the second activate, so that no activate is in the way.
    vec![(ACTIVATE, a), (ACTIVATE, b), (READ, b), (command, a)]
}

#[test]
fn reads_obey_ccd_and_the_rank_switch() {
    every(|name, dram, timing| {
        let a = bank(dram, 0, 0, 0);
        let (same, other, rank) = (bank(dram, 0, 0, 1), bank(dram, 0, 1, 0), bank(dram, 1, 0, 0));
        gate(name, dram, &opened(a, same, READ), (READ, same), 3, timing.ccd_l);
        gate(name, dram, &opened(a, other, READ), (READ, other), 3, timing.ccd_s);
        gate(name, dram, &opened(a, rank, READ), (READ, rank), 3, timing.burst + timing.rank_switch);
    });
}

#[test]
fn writes_obey_ccd_and_the_rank_switch() {
    every(|name, dram, timing| {
        let a = bank(dram, 0, 0, 0);
        let (same, other, rank) = (bank(dram, 0, 0, 1), bank(dram, 0, 1, 0), bank(dram, 1, 0, 0));
        gate(name, dram, &opened(a, same, WRITE), (WRITE, same), 3, timing.ccd_l_write);
        gate(name, dram, &opened(a, other, WRITE), (WRITE, other), 3, timing.ccd_s);
        gate(name, dram, &opened(a, rank, WRITE), (WRITE, rank), 3, timing.burst + timing.rank_switch);
    });
}

#[test]
fn a_read_after_a_write_waits_for_wtr_of_its_group_and_for_the_bus_of_another_rank() {
    every(|name, dram, timing| {
        let a = bank(dram, 0, 0, 0);
        let (same, other, rank) = (bank(dram, 0, 0, 1), bank(dram, 0, 1, 0), bank(dram, 1, 0, 0));
        let data = timing.cwl + timing.burst;
        gate(name, dram, &opened(a, same, WRITE), (READ, same), 3, data + timing.wtr_l);
        gate(name, dram, &opened(a, other, WRITE), (READ, other), 3, data + timing.wtr_s);
        // At DDR4-3200 the bus would be free at once; the command bus is not.
        let bus = (data + timing.rank_switch - timing.cl).max(timing.command);
        gate(name, dram, &opened(a, rank, WRITE), (READ, rank), 3, bus);
    });
}

#[test]
fn a_write_after_a_read_waits_until_the_bus_has_turned_round() {
    every(|name, dram, timing| {
        let a = bank(dram, 0, 0, 0);
        let turn = timing.cl + timing.burst + timing.turnaround - timing.cwl;
        for b in [bank(dram, 0, 0, 1), bank(dram, 0, 1, 0), bank(dram, 1, 0, 0)] {
            gate(name, dram, &opened(a, b, READ), (WRITE, b), 3, turn);
        }
    });
}

#[test]
fn refresh_waits_for_closed_rows_and_keeps_the_rank_shut_for_rfc() {
    every(|name, dram, timing| {
        let (a, other, rank) = (bank(dram, 0, 0, 0), bank(dram, 0, 1, 0), bank(dram, 1, 0, 0));
        let refresh = (Command::Refresh, a);
        gate(name, dram, &[(ACTIVATE, a), (Command::PrechargeAll, a)], refresh, 1, timing.rp);
        gate(name, dram, &[(ACTIVATE, a), (ACTIVATE, other)], (Command::PrechargeAll, a), 1, timing.ras);
        gate(name, dram, &[refresh], (ACTIVATE, other), 0, timing.rfc);
        gate(name, dram, &[refresh], refresh, 0, timing.rfc);
        gate(name, dram, &[refresh], (ACTIVATE, rank), 0, 1);
    });
}

#[test]
fn the_command_bus_takes_one_command_at_a_time() {
    every(|name, dram, timing| {
        let (a, other) = (bank(dram, 0, 0, 0), bank(dram, 1, 0, 0));
        gate(name, dram, &[(ACTIVATE, a)], (ACTIVATE, other), 0, timing.command);
    });
}
