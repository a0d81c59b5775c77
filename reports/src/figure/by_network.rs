//! Bars by network: what a study's runs gave on all of its networks.

use super::grouped_bars::GroupedBars;

/// Inference time.
pub static RUN_TIME: GroupedBars = GroupedBars {
    name: "run-time-by-network",
    caption: "Simulated time of the inference by network and run. Diamonds: published.",
    axis: "inference time (s)",
    column: "seconds",
};

/// Peak of the footprint.
pub static PEAK_MEMORY: GroupedBars = GroupedBars {
    name: "peak-memory-by-network",
    caption: "Most bytes that the process held (GB = 10⁹ bytes). Diamonds: published; dashed: DRAM of the reference \
              machine, where all networks have the same.",
    axis: "peak memory (GB)",
    column: "gb",
};

/// Inference time over that of the reference run.
pub static SLOWDOWN: GroupedBars = GroupedBars {
    name: "slowdown-by-network",
    caption: "Inference time over that of the reference run, for the networks that fit it. Diamonds: published.",
    axis: "slowdown",
    column: "slowdown",
};

/// Hits of the DIMMs' buffers.
pub static BUFFER_HITS: GroupedBars = GroupedBars {
    name: "buffer-hits-by-network",
    caption: "Share of PMem reads that a buffer of the DIMM served. Dashed: three of the four lines of a 256-byte \
              block, the ideal of one sequential stream.",
    axis: "buffer hit rate of reads",
    column: "buffer_hit_rate",
};

/// The figures of studies; they may have those over time of runs too.
pub static STUDY_FIGURES: [&GroupedBars; 4] = [&RUN_TIME, &PEAK_MEMORY, &SLOWDOWN, &BUFFER_HITS];
