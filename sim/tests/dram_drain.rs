//! How long writes hold up a read: by one drain of the write queue, however fast it fills again. Over every shipped DRAM.

#![expect(clippy::unwrap_used, reason = "what fails here is the test")]

use hetier_sim::device::Kind;
use hetier_sim::device::dram::{Channel, DramConfig, Served};
use hetier_sim::device::literal::DeviceConfig;
use hetier_sim::device::mapping::Place;
use hetier_sim::device::shipped::SHIPPED;

/// Far more writes than any drain has.
const MANY: usize = 1_000;
const READ: u64 = u64::MAX;

/// A sub-channel whose write queue is kept full.
struct Flooded<L> {
    channel: Channel,
    lines: L,
    served: Vec<Served>,
}

impl<L: Iterator<Item = Place>> Flooded<L> {
    fn step(&mut self) {
        while self.channel.has_room(Kind::Write) {
            self.accept(0, Kind::Write);
        }
        let Self { channel, served, .. } = self;
        assert!(channel.step(u64::MAX, &mut |one| served.push(one)), "there is always something to do");
    }

    fn accept(&mut self, token: u64, kind: Kind) {
        let Self { channel, lines, served } = self;
        let place = lines.next().unwrap();
        channel.accept(token, kind, place, channel.free_from(), &mut |one| served.push(one));
    }

    /// Writes served before a read that comes after `before` of them.
    fn passed(&mut self, before: usize) -> usize {
        while self.served.len() < before {
            self.step();
        }
        self.served.clear();
        self.accept(READ, Kind::Read);
        while self.served.len() < MANY && self.served.iter().all(|one| one.token != READ) {
            self.step();
        }
        self.served.iter().take_while(|one| one.token != READ).count()
    }
}

fn check(name: &str, config: &DramConfig, stride: u64) {
    let places = (0..).map(|index| config.mapping.place(index * stride % config.geometry.lines()));
    let mut flooded = Flooded {
        channel: Channel::new(config.timing, &config.geometry, config.controller),
        lines: places.filter(|place| place.sub_channel == 0),
        served: Vec::new(),
    };
    let controller = &config.controller;
    let drained = (controller.drain_above + 1 - (controller.drain_below - 1)) as usize;
    // Writes whose row is open already for them do not wait for the read's row.
    let opened = (config.geometry.ranks * config.geometry.groups * config.geometry.banks) as usize;

    for before in 200..220 {
        let passed = flooded.passed(before);

        assert!((drained..=drained + opened).contains(&passed), "{name}: {passed} writes of {drained}");
    }
}

#[test]
fn a_read_waits_for_one_drain_although_the_write_queue_never_empties() {
    for (name, _) in SHIPPED {
        if let DeviceConfig::Dram(config) = DeviceConfig::load(name).unwrap() {
            check(name, &config, 1);
            check(name, &config, 7919);
        }
    }
}
