//! What every shipped device must do: complete each request once, never before it came, and in step with time.

use std::collections::HashMap;

use hetier_sim::Picoseconds;
use hetier_sim::device::literal::DeviceConfig;
use hetier_sim::device::shipped::SHIPPED;
use hetier_sim::device::{Completion, Device, Kind, Request};

/// Some requests with bursts, gaps, hot lines and both directions; times do not fall.
fn requests(count: u64, capacity_lines: u64) -> Vec<Request> {
    let mut state = 88_172_645_463_325_252_u64;
    let mut word = move || {
        // Xorshift (Marsaglia, 2003).
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state
    };
    let mut at = 0;
    (0..count)
        .map(|token| {
            at += match word() % 16 {
                0 => word() % 3_000_000,
                1..=4 => word() % 20_000,
                _ => 0,
            };
            let line = if word().is_multiple_of(4) { word() % 8 } else { word() % capacity_lines };
            let kind = if word().is_multiple_of(3) { Kind::Write } else { Kind::Read };
            Request { token, line, kind, at: Picoseconds(at) }
        })
        .collect()
}

/// Runs a device over requests that are pushed shortly before their time, advancing event by event.
fn run(device: &mut dyn Device, requests: &[Request]) -> Vec<Completion> {
    let mut all = Vec::new();
    let mut before = None;
    let mut pushed = 0;
    loop {
        let arrival = requests.get(pushed).map(|request| request.at);
        let event = device.next_event();
        if let Some(at) = arrival.filter(|at| event.is_none_or(|event| *at <= event)) {
            // Up to four at once, some of them in the future.
            for request in requests[pushed..].iter().take(4) {
                device.push(*request);
                pushed += 1;
            }
            if device.next_event().is_none() {
                panic!("a device with a request from {at:?} has no next event");
            }
            continue;
        }
        let Some(event) = event else { break };
        let mut done = Vec::new();
        device.advance(event, &mut done);
        for completion in &done {
            assert!(
                before.is_none_or(|before| completion.at > before || completion.at == event),
                "completed in the past"
            );
        }
        before = Some(event);
        all.extend(done);
    }
    all
}

#[test]
fn every_device_completes_every_request_once_and_never_before_it_came() {
    for (name, _) in SHIPPED {
        let config = DeviceConfig::load(name).unwrap();
        let requests = requests(20_000, config.capacity_bytes() / 64);
        let mut device = config.build();

        let done = run(device.as_mut(), &requests);

        let mut seen = HashMap::new();
        for completion in &done {
            assert!(
                seen.insert(completion.token, completion.at).is_none(),
                "{name}: {} twice",
                completion.token
            );
        }
        assert_eq!(seen.len(), requests.len(), "{name}");
        for request in &requests {
            assert!(
                seen[&request.token] >= request.at,
                "{name}: {request:?} done at {:?}",
                seen[&request.token]
            );
        }
        assert_eq!(device.next_event(), None, "{name}: idle at the end");
    }
}

#[test]
fn every_device_counts_the_bytes_of_its_requests() {
    for (name, _) in SHIPPED {
        let config = DeviceConfig::load(name).unwrap();
        let requests = requests(5_000, config.capacity_bytes() / 64);
        let mut device = config.build();

        run(device.as_mut(), &requests);

        let counters = device.counters();
        let reads = requests.iter().filter(|request| request.kind == Kind::Read).count() as u64;
        assert_eq!(counters.read_bytes, reads * 64, "{name}");
        assert_eq!(counters.write_bytes, (requests.len() as u64 - reads) * 64, "{name}");
    }
}

#[test]
fn every_device_gives_the_same_answers_in_one_step_as_in_many() {
    for (name, _) in SHIPPED {
        let config = DeviceConfig::load(name).unwrap();
        let requests = requests(3_000, config.capacity_bytes() / 64);
        let by_token = |mut done: Vec<Completion>| {
            done.sort_by_key(|completion| completion.token);
            done
        };

        let many = run(config.build().as_mut(), &requests);
        let mut device = config.build();
        let mut one = Vec::new();
        requests.iter().for_each(|request| device.push(*request));
        device.advance(Picoseconds::NEVER, &mut one);

        assert_eq!(by_token(many), by_token(one), "{name}");
    }
}
