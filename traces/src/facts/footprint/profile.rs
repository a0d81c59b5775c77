//! Changes of live bytes, and what bodies do to the footprint.

use super::ByClass;
use crate::facts::class_index;
use crate::grammar::{ArrayId, Class};

/// A change of live bytes, told apart in some way.
pub trait Change: Clone + Default {
    /// Whether changes of different arrays are told apart.
    const NAMES_ARRAYS: bool;

    /// Bytes of one array that come to life, or die if negative.
    fn of(array: ArrayId, class: Class, bytes: i128) -> Self;

    /// Sum.
    fn total(&self) -> i128;

    /// How many numbers it is.
    fn size(&self) -> u64 {
        1
    }

    /// This and `times` another.
    fn plus(&self, other: &Self, times: i128) -> Self;

    /// What of it grows: by how much repeating it raises a peak.
    fn growth(&self) -> Self {
        if self.total() > 0 { self.clone() } else { Self::default() }
    }

    /// The higher of two peaks.
    fn higher(self, other: Self) -> Self {
        if other.total() > self.total() { other } else { self }
    }
}

/// A change by class.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Delta([i128; Class::ALL.len()]);

impl Delta {
    /// As live bytes.
    pub fn bytes(&self) -> ByClass {
        ByClass(self.0.map(|bytes| u64::try_from(bytes.max(0)).unwrap_or(u64::MAX)))
    }
}

impl Change for Delta {
    const NAMES_ARRAYS: bool = false;

    fn of(_: ArrayId, class: Class, bytes: i128) -> Self {
        let mut delta = Self::default();
        delta.0[class_index(class)] = bytes;
        delta
    }

    fn total(&self) -> i128 {
        self.0.iter().fold(0, |sum, bytes| sum.saturating_add(*bytes))
    }

    fn plus(&self, other: &Self, times: i128) -> Self {
        let mut sum = *self;
        for (sum, more) in sum.0.iter_mut().zip(other.0) {
            *sum = sum.saturating_add(more.saturating_mul(times));
        }
        sum
    }
}

/// What some bodies do to the footprint, relative to their start.
#[derive(Clone, Debug, Default)]
pub struct Profile<C> {
    /// Change from start to end.
    pub net: C,
    /// At the instant of the largest total; at the start if nothing exceeds it.
    pub peak: C,
    /// Most that one iteration holds beyond what stays: what further threads add to the peak.
    pub transient: C,
    /// Iterations of the nest around.
    pub iterations: u64,
}

impl<C: Change> Profile<C> {
    /// One change.
    pub fn change(net: C) -> Self {
        Self { peak: net.growth(), net, ..Self::default() }
    }

    /// This as one iteration of a nest.
    pub fn iteration(self) -> Self {
        let transient = self.peak.plus(&self.net.growth(), -1);
        Self { transient, iterations: 1, ..self }
    }

    /// This, and then the next.
    pub fn then(&mut self, next: &Self) {
        self.peak = std::mem::take(&mut self.peak).higher(self.net.plus(&next.peak, 1));
        self.net = self.net.plus(&next.net, 1);
        self.transient = std::mem::take(&mut self.transient).higher(next.transient.clone());
        self.iterations = self.iterations.saturating_add(next.iterations);
    }

    /// This so many times, one after the other.
    pub fn repeated(mut self, times: u64) -> Self {
        // Once is the usual case of nests that are walked, and there are 10⁸ of them.
        match times {
            0 => return Self::default(),
            1 => return self,
            _ => {}
        }
        self.peak = self.peak.plus(&self.net.growth(), i128::from(times) - 1);
        self.net = C::default().plus(&self.net, i128::from(times));
        self.iterations = self.iterations.saturating_mul(times);
        self
    }

    /// As one step of the bodies around a nest, whose iterations `threads` run at once.
    pub fn joined(mut self, threads: u64) -> Self {
        let concurrent = threads.min(self.iterations).max(1);
        self.peak = self.peak.plus(&self.transient, i128::from(concurrent) - 1);
        Self { transient: C::default(), iterations: 0, ..self }
    }
}
