//! The security table: what passes and what is refused, with the cure.

use hetier_workloads::security::{Level, Security, limit, reached};
use hetier_workloads::{Error, Literal, Parameters, Secret};

fn literal(degree: usize, prime_bits: &[u32]) -> Literal {
    Literal::new(degree, prime_bits, 24)
}

/// he-transformer's parameter files and MOFHEI's LeNet: coefficient bits, the last special.
#[test]
fn published_secure_sets_pass() {
    let chain = |first: u32, middle: u32, count: usize, last: u32| {
        [vec![first], vec![middle; count], vec![last]].concat()
    };
    for (name, degree, bits) in [
        ("N11_L1", 2048, vec![54]),
        ("N12_L4", 4096, vec![30, 22, 22, 30]),
        ("N13_L7", 8192, chain(30, 24, 5, 30)),
        ("N13_L8", 8192, chain(30, 24, 6, 30)),
        ("N14_L10", 16384, chain(30, 24, 8, 30)),
        ("N13_L7_lazy", 8192, chain(24, 22, 5, 30)),
        ("MOFHEI LeNet, 860 bits", 32768, chain(60, 40, 18, 40).into_iter().chain([40]).collect()),
        ("SEAL benchmark", 8192, vec![60, 40, 40, 60]),
    ] {
        let parameters =
            Parameters::new(&literal(degree, &bits)).unwrap_or_else(|error| panic!("{name}: {error}"));
        assert_eq!(parameters.security(), Security::Bits128);
        assert_eq!(parameters.primes().len(), bits.len());
        let sum: u32 = bits.iter().sum();
        assert!(
            parameters.modulus_bits() <= f64::from(sum) && parameters.modulus_bits() > f64::from(sum) - 1.0
        );
    }
}

#[test]
fn debug_sets_are_refused_with_limit_and_cure() {
    let chain = |count: usize| [vec![30], vec![24; count], vec![30]].concat();
    for (degree, bits, limit) in
        [(2048, vec![30, 22, 22, 30], 54), (8192, chain(7), 218), (8192, chain(8), 218)]
    {
        let refused = Parameters::new(&literal(degree, &bits)).unwrap_err();
        assert!(matches!(refused, Error::Insecure { limit: found, .. } if found == limit), "{refused}");
    }
    let refused = Parameters::new(&literal(8192, &chain(7))).unwrap_err();
    let bits = Parameters::insecure_for_tests(&literal(8192, &chain(7))).unwrap().modulus_bits();
    assert!((227.0..228.0).contains(&bits));
    let expected = format!(
        "parameters: log2(Q·P) = {bits:.2} at degree 8192, need at most 218 for 128-bit security with a ternary secret \
         (use degree 16384, limit 438, or primes of at most 218 bits in all)"
    );
    assert_eq!(refused.to_string(), expected);
}

#[test]
fn the_limit_is_inclusive_and_counts_the_special_prime() {
    // Primes lie just below powers of two, so that bits add up to the bit length.
    let at = literal(4096, &[55, 54]);
    let above = literal(4096, &[55, 55]);

    assert_eq!(Parameters::new(&at).unwrap().modulus_bit_length(), 109);
    assert!(matches!(Parameters::new(&above), Err(Error::Insecure { limit: 109, .. })));
}

#[test]
fn a_scale_that_a_rescale_would_push_below_one_is_refused() {
    let scaled = |bits| Parameters::new(&Literal::new(8192, &[60, 30, 30, 60], bits));

    assert!(scaled(15).is_ok());
    assert_eq!(
        scaled(14).unwrap_err().to_string(),
        "parameters: found scale 2^14.0, need at least 2^15: a rescale divides its square by a prime of 30 bits (use a \
         scale of as many bits as the primes)"
    );
    assert!(Parameters::new(&Literal::new(8192, &[60, 60], 1)).is_ok(), "no prime is divided out");
}

#[test]
fn insecure_sets_skip_the_table_alone() {
    let insecure = Parameters::insecure_for_tests(&literal(64, &[40, 40])).unwrap();
    assert_eq!(insecure.security(), Security::None);
    assert_eq!(insecure.security().name(), "none");

    assert!(matches!(Parameters::insecure_for_tests(&literal(48, &[40])), Err(Error::Degree { .. })));
    assert!(matches!(
        Parameters::insecure_for_tests(&literal(16, &[40])),
        Err(Error::Degree { least: 32, .. })
    ));
    assert!(matches!(Parameters::new(&literal(512, &[20])), Err(Error::Degree { least: 1024, .. })));
    assert!(matches!(Parameters::new(&literal(1 << 18, &[40])), Err(Error::Degree { .. })));
    assert_eq!(Parameters::insecure_for_tests(&literal(64, &[])).unwrap_err(), Error::NoPrimes);
    let unscaled = Literal { scale: f64::NAN, ..literal(64, &[40]) };
    assert!(matches!(Parameters::insecure_for_tests(&unscaled), Err(Error::Scale { .. })));
}

#[test]
fn more_primes_than_a_byte_numbers_are_refused() {
    // The largest 20-bit primes that are 1 modulo 64: there are a thousand of them.
    let of = |count| Parameters::insecure_for_tests(&literal(32, &vec![20; count]));

    assert_eq!(of(255).unwrap().primes().len(), 255);
    assert_eq!(of(256).unwrap_err(), Error::TooManyPrimes { found: 256, most: 255 });
}

#[test]
fn sparse_secrets_are_outside_the_table() {
    let sparse = Literal { secret: Secret::Sparse { weight: 192 }, ..literal(65536, &[60, 60]) };

    assert_eq!(Parameters::new(&sparse).unwrap_err(), Error::SparseSecret { weight: 192 });
    assert_eq!(Parameters::insecure_for_tests(&sparse).unwrap().security(), Security::None);
    let impossible = Literal { secret: Secret::Sparse { weight: 65 }, ..literal(64, &[40]) };
    assert!(matches!(
        Parameters::insecure_for_tests(&impossible),
        Err(Error::SecretWeight { weight: 65, degree: 64 })
    ));
}

#[test]
fn levels_of_the_table_are_reached_in_order() {
    assert_eq!(limit(8192, Level::Quantum256), Some(109));
    assert_eq!(limit(512, Level::Classical128), None);
    assert_eq!(reached(8192, 218), [Level::Classical128]);
    assert_eq!(reached(8192, 219), []);
    assert_eq!(reached(8192, 109).len(), 6);
    assert_eq!(reached(65536, 1747), [Level::Classical128]);
}

#[test]
fn objects_have_seals_sizes() {
    // he-transformer's N13: K = 8, u = 65,536 bytes: key 7·2·8 limbs.
    let parameters = Parameters::new(&literal(8192, &[30, 24, 24, 24, 24, 24, 24, 30])).unwrap();

    assert_eq!(parameters.switching_key_bytes(), 7 * 2 * 8 * 65536);
    assert_eq!(parameters.ciphertext_bytes(2, parameters.data_limbs()), 2 * 7 * 65536);
    assert_eq!(parameters.ntt_table_bytes(), 8 * 32 * 8192);
}
