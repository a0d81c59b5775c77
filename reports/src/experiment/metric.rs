//! What a published number is compared with: a number of a result, by name.

use std::fmt;
use std::str::FromStr;

use hetier_sim::result::RunResult;
use serde::{Deserialize, Serialize};

use super::{PhaseCounts, TraceFacts};

/// A number of a result.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub enum Metric {
    /// Seconds of the inference.
    InferenceSeconds,
    /// Seconds of the whole run, set-up and client included.
    WholeRunSeconds,
    /// Most bytes held by the process, in 10⁹.
    PeakGigabytes,
    /// Most bytes of objects alive at one time, in 10⁹.
    LiveGigabytes,
    /// Bytes that the pool keeps of ciphertexts, in 10⁹: of each size, the most that is alive at one time.
    PoolGigabytes,
    /// 1 if the process does not fit the run's memory, 0 if it does.
    DoesNotFit,
    /// Objects of an array of the trace, by its label.
    Elements(String),
    /// Bytes used of each object of an array, in 2¹⁰, by its label.
    ObjectKibibytes(String),
    /// Phases of a graph operation with a text in their name, or, after `!`, without it.
    PhasesNamed(String, String),
    /// Inference time over that of another run of the same network.
    Slowdown,
    /// Share of requests that near memory held.
    NearMemoryHitRate,
    /// Share of a tier's reads that a buffer of the device served.
    ReadBufferHitRate(String),
    /// Phases of a graph operation.
    Operations(String),
    /// Calls of an HE primitive, or of several with `+` between them; behind `@` the one phase in which they count.
    Calls(String),
    /// Seconds of a graph operation.
    OperationSeconds(String),
    /// Microseconds of one call of an HE primitive on its core.
    CallMicroseconds(String),
    /// Core seconds of all calls of an HE primitive over the number of threads.
    ThreadSeconds(String),
    /// Bytes that an HE primitive loads and stores in a second of its core, in 10⁹.
    CoreGigabytesPerSecond(String),
}

const KNOWN: &str = "inference_seconds, whole_run_seconds, peak_gb, live_gb, pool_gb, does_not_fit, slowdown, \
                     near_memory_hit_rate, TIER_read_buffer_hit_rate, operations:NAME, phases:OPERATION:[!]TEXT, \
                     calls:NAME[+NAME...][@PHASE], seconds:NAME, microseconds:NAME, thread_seconds:NAME, \
                     core_gb_per_s:NAME, elements:LABEL, object_kib:LABEL";

impl FromStr for Metric {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let whole = match text {
            "inference_seconds" => Some(Self::InferenceSeconds),
            "whole_run_seconds" => Some(Self::WholeRunSeconds),
            "peak_gb" => Some(Self::PeakGigabytes),
            "live_gb" => Some(Self::LiveGigabytes),
            "pool_gb" => Some(Self::PoolGigabytes),
            "does_not_fit" => Some(Self::DoesNotFit),
            "slowdown" => Some(Self::Slowdown),
            "near_memory_hit_rate" => Some(Self::NearMemoryHitRate),
            other => other
                .strip_suffix("_read_buffer_hit_rate")
                .map(|tier| Self::ReadBufferHitRate(tier.to_owned())),
        };
        let named = text.split_once(':').and_then(|(what, name)| match what {
            "operations" => Some(Self::Operations(name.to_owned())),
            "calls" => Some(Self::Calls(name.to_owned())),
            "seconds" => Some(Self::OperationSeconds(name.to_owned())),
            "microseconds" => Some(Self::CallMicroseconds(name.to_owned())),
            "elements" => Some(Self::Elements(name.to_owned())),
            "object_kib" => Some(Self::ObjectKibibytes(name.to_owned())),
            "thread_seconds" => Some(Self::ThreadSeconds(name.to_owned())),
            "core_gb_per_s" => Some(Self::CoreGigabytesPerSecond(name.to_owned())),
            "phases" => name
                .split_once(':')
                .map(|(operation, text)| Self::PhasesNamed(operation.to_owned(), text.to_owned())),
            _ => None,
        });
        whole.or(named).ok_or_else(|| format!("metric: found {text}, need one of {KNOWN}"))
    }
}

impl TryFrom<String> for Metric {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        text.parse()
    }
}

impl fmt::Display for Metric {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::InferenceSeconds => write!(formatter, "inference_seconds"),
            Self::WholeRunSeconds => write!(formatter, "whole_run_seconds"),
            Self::PeakGigabytes => write!(formatter, "peak_gb"),
            Self::LiveGigabytes => write!(formatter, "live_gb"),
            Self::PoolGigabytes => write!(formatter, "pool_gb"),
            Self::DoesNotFit => write!(formatter, "does_not_fit"),
            Self::ObjectKibibytes(label) => write!(formatter, "object_kib:{label}"),
            Self::PhasesNamed(operation, text) => write!(formatter, "phases:{operation}:{text}"),
            Self::ThreadSeconds(name) => write!(formatter, "thread_seconds:{name}"),
            Self::CoreGigabytesPerSecond(name) => write!(formatter, "core_gb_per_s:{name}"),
            Self::Elements(label) => write!(formatter, "elements:{label}"),
            Self::Slowdown => write!(formatter, "slowdown"),
            Self::NearMemoryHitRate => write!(formatter, "near_memory_hit_rate"),
            Self::ReadBufferHitRate(tier) => write!(formatter, "{tier}_read_buffer_hit_rate"),
            Self::Operations(name) => write!(formatter, "operations:{name}"),
            Self::Calls(name) => write!(formatter, "calls:{name}"),
            Self::OperationSeconds(name) => write!(formatter, "seconds:{name}"),
            Self::CallMicroseconds(name) => write!(formatter, "microseconds:{name}"),
        }
    }
}

impl From<Metric> for String {
    fn from(metric: Metric) -> Self {
        metric.to_string()
    }
}

impl Metric {
    /// Whether the trace alone holds it.
    pub const fn is_of_trace(&self) -> bool {
        matches!(
            self,
            Self::LiveGigabytes
                | Self::PoolGigabytes
                | Self::Operations(_)
                | Self::PhasesNamed(..)
                | Self::Calls(_)
                | Self::Elements(_)
                | Self::ObjectKibibytes(_)
        )
    }

    /// Whether no replay has it.
    pub fn is_of_trace_alone(&self) -> bool {
        match self {
            Self::PoolGigabytes | Self::PhasesNamed(..) | Self::Elements(_) | Self::ObjectKibibytes(_) => {
                true
            }
            Self::Calls(names) => names.contains('@'),
            _ => false,
        }
    }

    /// The number in the facts of a trace; `None` where it needs a replay.
    pub fn of_trace(&self, trace: &TraceFacts) -> Option<f64> {
        match self {
            Self::LiveGigabytes => Some(trace.peak_live_bytes as f64 / 1e9),
            Self::Operations(name) => trace.operations.get(name).map(|count| *count as f64),
            Self::Calls(names) => match names.split_once('@') {
                None => sum(names, |name| trace.primitives.get(name).copied()),
                Some((names, name)) => {
                    let phase = trace.phases.iter().find(|phase| phase.name == name)?;
                    sum(names, |name| phase.primitives.get(name).copied())
                }
            },
            Self::Elements(label) => trace.elements.get(label).map(|count| *count as f64),
            Self::PoolGigabytes => trace.pool_bytes.map(|bytes| bytes as f64 / 1e9),
            Self::ObjectKibibytes(label) => trace.object_bytes.get(label).map(|bytes| *bytes as f64 / 1024.0),
            Self::PhasesNamed(operation, text) => {
                let is_named = |name: &str| match text.strip_prefix('!') {
                    Some(text) => !name.contains(text),
                    None => name.contains(text),
                };
                let mut own = trace.phases.iter().filter(|phase| phase.operation == *operation).peekable();
                // No phase of an operation that is not there is no measurement.
                own.peek()?;
                Some(own.filter(|phase| is_named(&phase.name)).count() as f64)
            }
            _ => None,
        }
    }

    /// Whether it is taken against another run.
    pub const fn is_ratio(&self) -> bool {
        matches!(self, Self::Slowdown)
    }

    /// What it asks for of a trace that the trace does not have.
    pub fn unknown_to_trace(&self, trace: &TraceFacts) -> Option<String> {
        match self {
            Self::Operations(name) => unknown("operation", name, trace.operations.keys()),
            Self::PhasesNamed(operation, _) => unknown("operation", operation, trace.operations.keys()),
            Self::Calls(names) => {
                let (names, phase) =
                    names.split_once('@').map_or((&**names, None), |(n, phase)| (n, Some(phase)));
                let primitive =
                    names.split('+').find_map(|name| unknown("primitive", name, trace.primitives.keys()));
                primitive.or_else(|| unknown_calls(names, phase?, &trace.phases))
            }
            Self::Elements(label) => unknown("array", label, trace.elements.keys()),
            Self::ObjectKibibytes(label) => unknown("array", label, trace.object_bytes.keys()),
            _ => None,
        }
    }

    /// What it asks for of a result that the result does not have.
    pub fn unknown_to(&self, result: &RunResult) -> Option<String> {
        match self {
            Self::Operations(name) | Self::OperationSeconds(name) => {
                unknown("operation", name, result.by_operation.keys())
            }
            Self::Calls(names) => {
                names.split('+').find_map(|name| unknown("primitive", name, result.by_primitive.keys()))
            }
            Self::CallMicroseconds(name) | Self::ThreadSeconds(name) | Self::CoreGigabytesPerSecond(name) => {
                unknown("primitive", name, result.by_primitive.keys())
            }
            Self::ReadBufferHitRate(tier) => unknown("tier", tier, result.devices.keys()),
            _ => None,
        }
    }

    /// Whether it counts something.
    pub const fn is_count(&self) -> bool {
        matches!(
            self,
            Self::DoesNotFit
                | Self::Operations(_)
                | Self::PhasesNamed(..)
                | Self::Calls(_)
                | Self::Elements(_)
        )
    }

    /// Unit in tables.
    pub const fn unit(&self) -> &'static str {
        match self {
            Self::InferenceSeconds
            | Self::WholeRunSeconds
            | Self::OperationSeconds(_)
            | Self::ThreadSeconds(_) => "s",
            Self::PeakGigabytes | Self::LiveGigabytes | Self::PoolGigabytes => "GB",
            Self::ObjectKibibytes(_) => "KiB",
            Self::CoreGigabytesPerSecond(_) => "GB/s",
            Self::CallMicroseconds(_) => "µs",
            Self::Slowdown => "×",
            // From 0 to 1, as in files; tables of results show them in percent.
            Self::NearMemoryHitRate | Self::ReadBufferHitRate(_) => "share",
            Self::DoesNotFit
            | Self::Operations(_)
            | Self::PhasesNamed(..)
            | Self::Calls(_)
            | Self::Elements(_) => "",
        }
    }

    /// The number in a result; `None` where it does not apply. `against` is the other run of a ratio.
    pub fn of(&self, result: &RunResult, against: Option<&RunResult>) -> Option<f64> {
        match self {
            Self::InferenceSeconds => Some(result.simulated_seconds),
            Self::WholeRunSeconds => Some(result.whole_run_seconds),
            Self::PeakGigabytes => Some(result.peak_footprint_bytes as f64 / 1e9),
            Self::LiveGigabytes => Some(result.peak_live_bytes as f64 / 1e9),
            Self::Elements(_) | Self::ObjectKibibytes(_) | Self::PhasesNamed(..) | Self::PoolGigabytes => {
                None
            }
            Self::DoesNotFit => Some(0.0),
            Self::Slowdown => Some(result.slowdown(against?)?.median),
            Self::NearMemoryHitRate => result.near_memory_hit_rate,
            Self::ReadBufferHitRate(tier) => result.devices.get(tier)?.buffer_hit_rate.read,
            Self::Operations(name) => Some(result.by_operation.get(name)?.count as f64),
            Self::Calls(names) => sum(names, |name| Some(result.by_primitive.get(name)?.count)),
            Self::OperationSeconds(name) => result.by_operation.get(name)?.simulated_seconds,
            Self::CallMicroseconds(name) => {
                let share = result.by_primitive.get(name)?;
                Some(share.simulated_seconds? * 1e6 / share.count as f64)
            }
            Self::ThreadSeconds(name) => {
                Some(result.by_primitive.get(name)?.simulated_seconds? / result.threads as f64)
            }
            Self::CoreGigabytesPerSecond(name) => {
                let share = result.by_primitive.get(name)?;
                Some((share.accesses * LINE_BYTES) as f64 / share.simulated_seconds? / 1e9)
            }
        }
    }
}

/// Most names of a list in a message: networks have thousands of phases and arrays.
const LISTED: usize = 40;

/// Says that a name is not among those that there are.
fn unknown<'n>(what: &str, name: &str, known: impl Iterator<Item = &'n String>) -> Option<String> {
    let known: Vec<&str> = known.map(String::as_str).collect();
    if known.contains(&name) {
        return None;
    }
    let listed = known[..known.len().min(LISTED)].join(", ");
    let rest = known.len().saturating_sub(LISTED);
    let more = if rest > 0 { format!(" and {rest} more") } else { String::new() };
    Some(format!("found no {what} {name}, need one of {listed}{more}"))
}

/// Says that a phase is not there, or which primitive is not called in it.
fn unknown_calls(names: &str, phase: &str, phases: &[PhaseCounts]) -> Option<String> {
    let Some(found) = phases.iter().find(|known| known.name == phase) else {
        return unknown("phase", phase, phases.iter().map(|phase| &phase.name));
    };
    let place = format!("primitive in phase {phase}:");
    names.split('+').find_map(|name| unknown(&place, name, found.primitives.keys()))
}

/// Bytes of a line.
const LINE_BYTES: u64 = 64;

/// Sum over names with `+` between them; `None` if one is not there.
fn sum(names: &str, count: impl Fn(&str) -> Option<u64>) -> Option<f64> {
    names.split('+').map(count).sum::<Option<u64>>().map(|sum| sum as f64)
}
