//! Which moduli are secure at which degree.

/// Security levels of the table, in bits of classical or quantum attack cost.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Level {
    /// 128 bits against classical computers.
    Classical128,
    /// 192 bits against classical computers.
    Classical192,
    /// 256 bits against classical computers.
    Classical256,
    /// 128 bits against quantum computers.
    Quantum128,
    /// 192 bits against quantum computers.
    Quantum192,
    /// 256 bits against quantum computers.
    Quantum256,
}

impl Level {
    /// Every level, in order of the table's columns.
    pub const ALL: [Self; 6] = [
        Self::Classical128,
        Self::Classical192,
        Self::Classical256,
        Self::Quantum128,
        Self::Quantum192,
        Self::Quantum256,
    ];

    /// Name in traces and results.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Classical128 => "128-classical",
            Self::Classical192 => "192-classical",
            Self::Classical256 => "256-classical",
            Self::Quantum128 => "128-quantum",
            Self::Quantum192 => "192-quantum",
            Self::Quantum256 => "256-quantum",
        }
    }

    const fn column(self) -> usize {
        match self {
            Self::Classical128 => 0,
            Self::Classical192 => 1,
            Self::Classical256 => 2,
            Self::Quantum128 => 3,
            Self::Quantum192 => 4,
            Self::Quantum256 => 5,
        }
    }
}

/// Largest log2(Q·P) for a uniform ternary secret and σ = 3.2: degree, then one column per [`Level`].
///
/// Source: HomomorphicEncryption.org standard 1.1 (2018), table 1, as in SEAL `hestdparms.h` and OpenFHE
/// `stdlatticeparms.h`; the rows 65536 and 131072 are in OpenFHE alone. The 2024 guidelines (ePrint 2024/463) revise
/// the numbers slightly and are not used here.
pub const LIMITS: [(usize, [u32; 6]); 8] = [
    (1024, [27, 19, 14, 25, 17, 13]),
    (2048, [54, 37, 29, 51, 35, 27]),
    (4096, [109, 75, 58, 101, 70, 54]),
    (8192, [218, 152, 118, 202, 141, 109]),
    (16384, [438, 305, 237, 411, 284, 220]),
    (32768, [881, 611, 476, 827, 571, 443]),
    (65536, [1747, 1199, 929, 1663, 1145, 888]),
    (131_072, [3523, 2411, 1866, 3348, 2301, 1784]),
];

/// Largest log2(Q·P) at a degree and level; `None` if the table has no row for the degree.
pub fn limit(degree: usize, level: Level) -> Option<u32> {
    LIMITS.iter().find(|row| row.0 == degree).map(|row| row.1[level.column()])
}

/// Levels that a modulus of `bits` bits reaches at a degree. `bits` is the bit length of Q·P.
pub fn reached(degree: usize, bits: u32) -> Vec<Level> {
    Level::ALL.into_iter().filter(|&level| limit(degree, level).is_some_and(|limit| bits <= limit)).collect()
}

/// Smallest degree whose 128-bit limit holds a modulus of `bits` bits, with that limit.
pub fn smallest_degree(bits: u32) -> Option<(usize, u32)> {
    LIMITS.iter().map(|row| (row.0, row.1[0])).find(|&(_, limit)| bits <= limit)
}

/// Security of a parameter set, carried by everything made with it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Security {
    /// At least 128 bits by [`LIMITS`].
    Bits128,
    /// Not checked: for tests and demonstrations alone.
    None,
}

impl Security {
    /// The fact `security` of a trace.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Bits128 => "128",
            Self::None => "none",
        }
    }
}

impl std::fmt::Display for Security {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str(self.name())
    }
}
