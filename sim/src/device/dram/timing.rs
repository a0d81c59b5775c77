//! JEDEC timing parameters in clocks, and the formulas that follow from them.

use crate::Picoseconds;

/// Clocks of one channel since the start of the simulation.
pub type Clock = u64;

/// Checked timings of one DRAM device, in clocks unless said otherwise. Names follow JESD79-4 and JESD79-5.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Timing {
    /// tCK: length of a clock in picoseconds.
    pub clock_ps: u64,
    /// BL/2: clocks of the data bus for 64 bytes.
    pub burst: Clock,
    /// CL: read command to first data.
    pub cl: Clock,
    /// CWL: write command to first data.
    pub cwl: Clock,
    /// tRCD: activate to column command.
    pub rcd: Clock,
    /// tRP: precharge to activate.
    pub rp: Clock,
    /// tRAS: activate to precharge.
    pub ras: Clock,
    /// tRFC: refresh to activate.
    pub rfc: Clock,
    /// `tREFI`: mean time between refreshes of a rank.
    pub refi: Clock,
    /// `tRRD_S`: activate to activate in another bank group.
    pub rrd_s: Clock,
    /// `tRRD_L`: activate to activate in the same bank group.
    pub rrd_l: Clock,
    /// tFAW: window in which a rank takes at most four activates.
    pub faw: Clock,
    /// `tCCD_S`: column command to column command of the same direction in another bank group.
    pub ccd_s: Clock,
    /// `tCCD_L`: read to read in the same bank group.
    pub ccd_l: Clock,
    /// `tCCD_L_WR`: write to write in the same bank group.
    pub ccd_l_write: Clock,
    /// tWR: last written data to precharge.
    pub wr: Clock,
    /// `tWTR_S`: last written data to a read in another bank group.
    pub wtr_s: Clock,
    /// `tWTR_L`: last written data to a read in the same bank group.
    pub wtr_l: Clock,
    /// tRTP: read to precharge.
    pub rtp: Clock,
    /// Idle clocks of the data bus between reading and writing (preambles).
    pub turnaround: Clock,
    /// Idle clocks of the data bus between bursts of different ranks.
    pub rank_switch: Clock,
    /// Clocks of the command bus for activate, read and write (precharge and refresh take one).
    pub command: Clock,
}

impl Timing {
    /// tRC: activate to activate of one bank.
    #[inline]
    pub const fn rc(&self) -> Clock {
        self.ras + self.rp
    }

    /// Read command to write command on one channel.
    #[inline]
    pub const fn read_to_write(&self) -> Clock {
        self.cl + self.burst + self.turnaround - self.cwl
    }

    /// Unloaded read of an idle controller, from arrival to the last data, when the row is open.
    pub const fn hit_latency(&self) -> Picoseconds {
        Picoseconds((self.cl + self.burst) * self.clock_ps)
    }

    /// The same when the bank is closed.
    pub const fn closed_latency(&self) -> Picoseconds {
        Picoseconds((self.rcd + self.cl + self.burst) * self.clock_ps)
    }

    /// The same when another row is open.
    pub const fn conflict_latency(&self) -> Picoseconds {
        Picoseconds((self.rp + self.rcd + self.cl + self.burst) * self.clock_ps)
    }

    /// Peak bandwidth of one data bus in GB/s (10⁹ bytes): 64 bytes every burst.
    pub const fn peak_gb_per_s(&self) -> f64 {
        64_000.0 / (self.burst * self.clock_ps) as f64
    }

    /// Share of time left by refresh: 1 − tRFC ÷ tREFI.
    pub const fn refresh_share(&self) -> f64 {
        1.0 - self.rfc as f64 / self.refi as f64
    }
}
