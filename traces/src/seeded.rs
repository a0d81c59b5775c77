//! The deterministic draws behind seeded ranges and seeded lanes.
//!
//! Every draw is a pure function of its seed and position, so that a replay may start anywhere. The mixing function
//! is the output stage of splitmix64 (Steele, Lea, Flood: Fast splittable pseudorandom number generators,
//! OOPSLA 2014, doi 10.1145/2660193.2660195; constants of Stafford's variant 13, as in Vigna's public-domain code).

/// Step between the states of splitmix64: 2⁶⁴ ÷ golden ratio, odd.
const GAMMA: u64 = 0x9e37_79b9_7f4a_7c15;

/// One million, the unit of [`Range::Seeded`](crate::Range::Seeded)'s chance.
pub const MILLION: u32 = 1_000_000;

/// Output number `position` (from 0) of a splitmix64 generator seeded with `seed`.
#[inline]
pub const fn draw(seed: u64, position: u64) -> u64 {
    let state = seed.wrapping_add(GAMMA.wrapping_mul(position.wrapping_add(1)));
    let state = (state ^ (state >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let state = (state ^ (state >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    state ^ (state >> 31)
}

/// Number `position` of a sequence of uniform numbers below `bound`: the high word of `draw × bound`.
pub const fn draw_below(seed: u64, position: u64, bound: u64) -> u64 {
    ((draw(seed, position) as u128 * bound as u128) >> 64) as u64
}

/// Seed of the draw that `select` picks from a family of draws.
pub const fn family(seed: u64, select: i64) -> u64 {
    draw(seed, select as u64)
}

/// Whether a draw keeps `candidate`, which it does with probability `keep_per_million` / 10⁶.
pub const fn is_kept(draw_seed: u64, candidate: u64, keep_per_million: u32) -> bool {
    draw_below(draw_seed, candidate, MILLION as u64) < keep_per_million as u64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn draws_equal_the_published_splitmix64_sequence_of_seed_1234567() {
        // Reference outputs published with the Rosetta Code task "Pseudo-random numbers/Splitmix64".
        let expected = [6457827717110365317, 3203168211198807973, 9817491932198370423, 4593380528125082431];

        let found: Vec<u64> = (0..4).map(|position| draw(1234567, position)).collect();

        assert_eq!(found, expected);
    }

    #[test]
    fn kept_share_is_the_chance_within_five_deviations() {
        let kept = (0..100_000).filter(|&candidate| is_kept(7, candidate, 250_000)).count() as f64;

        let deviation = (100_000.0_f64 * 0.25 * 0.75).sqrt();
        assert!((kept - 25_000.0).abs() < 5.0 * deviation, "{kept}");
    }

    #[test]
    fn chances_of_zero_and_one_keep_nothing_and_all() {
        assert!((0..1000).all(|candidate| !is_kept(3, candidate, 0) && is_kept(3, candidate, MILLION)));
    }
}
