//! Checks macros: lanes against their parameters, orders against their ranges.

use crate::directory::outside;
use crate::error::{Error, Result};
use crate::grammar::{Lane, MAX_ELEMENTS, MAX_LANES, MAX_WORK, Macro, Order, Role, Rule};

/// Most operands of a macro, by the type of [`Lane::operand`].
const MAX_PARAMETERS: i128 = 256;

/// Checks a macro.
pub(super) fn check(defined: &Macro) -> Result<()> {
    let place = format!("macro {}", defined.name);
    let parameters = defined.parameters.len() as i128;
    if parameters > MAX_PARAMETERS {
        return Err(outside(&place, "number of parameters", parameters, 0, MAX_PARAMETERS));
    }
    let most = i64::MAX.into();
    let mut bytes = defined.parameters.iter().map(|parameter| i128::from(parameter.bytes));
    if let Some(found) = bytes.find(|bytes| *bytes > most) {
        return Err(outside(&place, "bytes of a parameter", found, 0, most));
    }
    for (number, sweep) in defined.sweeps.iter().enumerate() {
        let place = format!("{place}, sweep {number}");
        if sweep.lanes.len() > MAX_LANES {
            return Err(outside(&place, "number of lanes", sweep.lanes.len() as i128, 0, MAX_LANES as i128));
        }
        if let Some(work) = sweep.work.iter().find(|work| work.count > MAX_WORK) {
            let (found, most) = (work.count.into(), MAX_WORK.into());
            return Err(outside(&place, "arithmetic operations of one kind", found, 0, most));
        }
        sweep.lanes.iter().try_for_each(|lane| check_lane(&place, lane, defined))?;
    }
    Ok(())
}

fn check_lane(place: &str, lane: &Lane, defined: &Macro) -> Result<()> {
    let Some(parameter) = defined.parameters.get(usize::from(lane.operand)) else {
        let most = defined.parameters.len() as i128 - 1;
        return Err(outside(place, "operand", lane.operand.into(), 0, most));
    };
    if lane.bytes == 0 {
        return Err(outside(place, "bytes of a lane", 0, 1, parameter.bytes.into()));
    }
    if parameter.role == Role::Input && lane.access.is_write() {
        let rule = "found a lane that writes an input, need the role output or in-out";
        return Err(Error::Malformed { place: place.into(), rule });
    }
    check_order(place, lane)?;
    let end = i128::from(lane.offset) + i128::from(lane.extent());
    let most = parameter.bytes.into();
    if end > most { Err(outside(place, "end of a lane", end, 1, most)) } else { Ok(()) }
}

fn check_order(place: &str, lane: &Lane) -> Result<()> {
    match &lane.order {
        Order::Sequential => Ok(()),
        Order::Strided { block_bytes, stride_bytes } => {
            divides(place, *block_bytes, lane.bytes)?;
            if stride_bytes < block_bytes || *stride_bytes > i64::MAX as u64 {
                let least = (*block_bytes).into();
                return Err(outside(
                    place,
                    "stride in bytes",
                    (*stride_bytes).into(),
                    least,
                    i64::MAX.into(),
                ));
            }
            Ok(())
        }
        Order::Permuted { rule, element_bytes } => {
            divides(place, *element_bytes, lane.bytes)?;
            check_rule(place, *rule, lane.bytes / element_bytes)
        }
        Order::Rotated { start_bytes } => {
            if *start_bytes >= lane.bytes {
                let most = i128::from(lane.bytes) - 1;
                return Err(outside(place, "start of a rotated lane", (*start_bytes).into(), 0, most));
            }
            Ok(())
        }
        Order::Indexed { element_bytes, positions } => {
            divides(place, *element_bytes, lane.bytes)?;
            let (found, need) = (positions.len() as i128, i128::from(lane.bytes / element_bytes));
            if found == need { Ok(()) } else { Err(outside(place, "number of positions", found, need, need)) }
        }
        Order::Seeded { element_bytes, range_elements, .. } => {
            divides(place, *element_bytes, lane.bytes)?;
            for found in [*range_elements, lane.bytes / element_bytes] {
                if found == 0 || found > MAX_ELEMENTS {
                    return Err(outside(
                        place,
                        "elements of a seeded lane",
                        found.into(),
                        1,
                        MAX_ELEMENTS.into(),
                    ));
                }
            }
            Ok(())
        }
    }
}

fn check_rule(place: &str, rule: Rule, count: u64) -> Result<()> {
    if !count.is_power_of_two() || count > MAX_ELEMENTS {
        let rule = "found a permuted lane of some other number of elements, need a power of two up to 2^32";
        return Err(Error::Malformed { place: place.into(), rule });
    }
    match rule {
        Rule::BitReversal => Ok(()),
        Rule::Automorphism { element } if element % 2 == 1 && element < 2 * count => Ok(()),
        Rule::Automorphism { .. } => {
            let rule = "found a Galois element that is even or not below 2n, need an odd one below";
            Err(Error::Malformed { place: place.into(), rule })
        }
    }
}

fn divides(place: &str, part: u64, bytes: u64) -> Result<()> {
    if part == 0 || !bytes.is_multiple_of(part) {
        let rule = "found a lane whose bytes are no multiple of its elements or blocks, need a whole number";
        return Err(Error::Malformed { place: place.into(), rule });
    }
    Ok(())
}
