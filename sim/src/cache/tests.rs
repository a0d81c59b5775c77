use super::*;

/// A system file with small caches, so that a few hundred lines overflow all of them.
fn small(policy: &str, cores: usize) -> Caches {
    on_sockets(policy, &vec![0; cores])
}

/// The same with a core on each of some sockets.
fn on_sockets(policy: &str, sockets: &[usize]) -> Caches {
    let text = include_str!("../../systems/optane-slice.toml")
        .replace("capacity_kib = 32\n", "capacity_kib = 1\n")
        .replace("capacity_kib = 1024\n", "capacity_kib = 4\n")
        .replace("capacity_kib = 5632\n", "capacity_kib = 11\n")
        .replace("policy = \"victim\"", &format!("policy = \"{policy}\""));
    Caches::new(&System::parse("small.toml", &text).unwrap(), sockets)
}

/// Serves one access; gives where it was found (`None` for L1) and how many lines left.
fn serve(caches: &mut Caches, core: usize, line: u64, intent: Intent) -> (Option<Found>, usize) {
    let mut leaving = Vec::new();
    match caches.try_l1(core, line, intent) {
        FirstLevel::Hit => (None, 0),
        first => {
            let found = caches.access(core, line, 0, intent, first, &mut leaving);
            caches.landed(core, line);
            (Some(found), leaving.len())
        }
    }
}

#[test]
fn second_load_of_a_line_hits_the_first_level() {
    let mut caches = small("victim", 1);

    assert_eq!(serve(&mut caches, 0, 5, Intent::Load), (Some(Found::Memory), 0));
    assert_eq!(serve(&mut caches, 0, 5, Intent::Load), (None, 0));
}

#[test]
fn line_evicted_from_the_second_level_is_found_in_the_third_and_leaves_it() {
    let mut caches = small("victim", 1);
    let sets = caches.l2[0].lines().count() as u64 + 4;
    for way in 0..17 {
        serve(&mut caches, 0, way * sets, Intent::Load);
    }

    assert_eq!(serve(&mut caches, 0, 0, Intent::Load).0, Some(Found::L3));
    assert!(caches.conserves_lines());
}

#[test]
fn dirty_line_is_forwarded_between_cores_and_invalidated_by_a_store() {
    let mut caches = small("victim", 2);
    serve(&mut caches, 0, 9, Intent::Store);

    assert_eq!(serve(&mut caches, 1, 9, Intent::Load).0, Some(Found::Forwarded { from: 0 }));
    assert_eq!(serve(&mut caches, 0, 9, Intent::Load).0, None);
    // Both hold it now: the first holder has to ask before it writes again.
    assert_eq!(serve(&mut caches, 0, 9, Intent::Store).0, Some(Found::Forwarded { from: 1 }));
    assert!(!caches.holds(1, 9));
    assert_eq!(caches.counters().forwarded_lines, 1);
    assert_eq!(caches.counters().invalidated_lines, 1);
}

#[test]
fn every_dirty_line_is_written_back_once_or_still_held() {
    for (policy, cores) in [("victim", 1), ("victim", 4), ("inclusive", 1), ("inclusive", 4)] {
        let mut caches = small(policy, cores);
        let (mut written, mut cleaned, mut latest) = (0_u64, 0_u64, std::collections::BTreeSet::new());
        for step in 0..60_000 {
            let line = hetier_traces::seeded::draw_below(11, step, 700);
            let core = hetier_traces::seeded::draw_below(12, step, cores as u64) as usize;
            let intent =
                if hetier_traces::seeded::draw(13, step) & 3 == 0 { Intent::Store } else { Intent::Load };
            let mut leaving = Vec::new();
            if let first @ (FirstLevel::Miss | FirstLevel::NotOwned) = caches.try_l1(core, line, intent) {
                caches.access(core, line, 0, intent, first, &mut leaving);
            }
            if intent == Intent::Store {
                latest.insert(line);
            }
            for word in leaving {
                written += 1;
                // Only a line that was stored to since its last write-back may leave dirty.
                assert!(latest.remove(&word.line()), "{policy} {cores}: line {} left twice", word.line());
                cleaned += 1;
            }
            assert!(caches.conserves_lines(), "{policy} {cores} step {step}");
        }
        assert_eq!(written, cleaned);
        assert_eq!(caches.dirty_lines(), latest.len() as u64, "{policy} {cores}");
        let [l1, l2, l3] = caches.levels();
        assert_eq!(l1.hits + l1.misses, 60_000);
        assert_eq!(l1.misses, l2.hits + l2.misses, "{policy} {cores}");
        assert_eq!(l2.misses, l3.hits + l3.misses + caches.counters().forwarded_lines);
    }
}

#[test]
fn flushed_line_leaves_no_dirty_copy() {
    for keep in [true, false] {
        let mut caches = small("victim", 2);
        serve(&mut caches, 0, 3, Intent::Store);

        assert!(caches.flush(1, 3, keep));
        assert!(!caches.flush(1, 3, keep));
        assert_eq!(caches.dirty_lines(), 0);
        assert_eq!(caches.holds(0, 3), keep);
    }
}

#[test]
fn overwritten_line_is_gone_everywhere() {
    let mut caches = small("victim", 2);
    serve(&mut caches, 0, 3, Intent::Store);
    serve(&mut caches, 1, 3, Intent::Load);

    assert!(caches.overwrite(1, 3));
    assert_eq!((caches.holds(0, 3), caches.holds(1, 3), caches.dirty_lines()), (false, false, 0));
}

#[test]
fn store_to_a_line_from_another_socket_s_inclusive_cache_leaves_no_copy_there() {
    for loads in [1, 2] {
        let mut caches = on_sockets("inclusive", &[0, 1]);
        let sets = caches.l2[0].lines().count() as u64 + 4;
        // Core 1 writes a line and then pushes it out of its private caches.
        serve(&mut caches, 1, 0, Intent::Store);
        for way in 1..17 {
            serve(&mut caches, 1, way * sets, Intent::Load);
        }
        assert_eq!(serve(&mut caches, 0, 0, Intent::Load).0, Some(Found::RemoteL3 { socket: 1 }));
        if loads == 2 {
            for way in 1..17 {
                serve(&mut caches, 0, way * sets, Intent::Load);
            }
            assert!(!caches.holds(0, 0));
        }

        serve(&mut caches, 0, 0, Intent::Load);
        serve(&mut caches, 0, 0, Intent::Store);

        assert!(caches.l3[1].find(0).is_none(), "{loads}");
    }
}
