//! How far two results of one trace are apart, and the pages that say so.

use std::path::Path;

use hetier_sim::RunResult;

/// Largest relative error of bytes by tier and direction, among those with at least `least_share` of all bytes in either
/// result; infinite where one has such a share and the other nothing.
pub fn byte_error(expected: &RunResult, found: &RunResult, least_share: f64) -> f64 {
    let pairs = expected.devices.iter().flat_map(|(tier, expected)| {
        let found = &found.devices[tier];
        [(expected.read_bytes, found.read_bytes), (expected.write_bytes, found.write_bytes)]
    });
    let pairs: Vec<(u64, u64)> = pairs.collect();
    let total: u64 = pairs.iter().map(|pair| pair.0).sum();
    let judged = pairs
        .into_iter()
        .filter(|pair| pair.0.max(pair.1) as f64 >= least_share * total as f64 && *pair != (0, 0));
    judged.map(|(expected, found)| (found as f64 / expected as f64 - 1.0).abs()).fold(0.0, f64::max)
}

/// The median of the errors of time.
pub fn median(errors: impl Iterator<Item = f64>) -> f64 {
    let mut errors: Vec<f64> = errors.collect();
    errors.sort_by(f64::total_cmp);
    errors[errors.len() / 2]
}

/// Rewrites a page of `docs` if `UPDATE_SNAPSHOTS` asks for it; gives whether it is current.
pub fn is_current(name: &str, page: &str) -> bool {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs").join(name);
    if std::env::var_os("UPDATE_SNAPSHOTS").is_some() {
        std::fs::write(&path, page).expect("docs can be written where snapshots are updated");
    }
    std::fs::read_to_string(&path).is_ok_and(|kept| kept == page)
}
