//! What outlives a body of an expansion: definitions, lifetimes, and the operands of the last call.

use crate::directory::{Directory, Object};
use crate::error::{Error, Result};
use crate::grammar::{ArrayId, Macro, Sweep};
use crate::liveness::{Change, Liveness};
use crate::loops::Scope;
use crate::walk::Call;

/// Everything that outlives a body.
#[derive(Debug, Default)]
pub(super) struct World {
    pub directory: Directory,
    pub macros: Vec<Macro>,
    pub liveness: Liveness,
    pub phase: String,
    pub objects: Vec<Object>,
}

impl World {
    /// Resolves a call's operands and checks them against the macro.
    pub fn bind(&mut self, call: &Call, scope: &Scope) -> Result<()> {
        let callee = call.callee.0;
        let Some(called) = self.macros.get(callee as usize) else {
            return Err(Error::UndefinedMacro {
                place: self.phase.clone(),
                callee,
                defined: self.macros.len(),
            });
        };
        if called.parameters.len() != call.operands.len() {
            let (found, need) = (call.operands.len() as i128, called.parameters.len() as i128);
            return Err(self.outside("number of operands", found, need, need));
        }
        self.objects.clear();
        for (parameter, operand) in called.parameters.iter().zip(&call.operands) {
            let object = self.resolve(operand.array, operand.index.value(scope))?;
            if !self.liveness.is_live(object) {
                return Err(self.dead("use", object.array, object.index));
            }
            let capacity = self.directory.array(object.array).map_or(0, |array| array.capacity_bytes);
            if capacity < parameter.bytes {
                let need = i128::from(parameter.bytes);
                return Err(self.outside("bytes of an operand", capacity.into(), need, i64::MAX.into()));
            }
            self.objects.push(object);
        }
        let is_outside =
            |sweep: &Sweep| sweep.lanes.iter().any(|lane| lane.operand as usize >= self.objects.len());
        if called.sweeps.iter().any(is_outside) {
            let rule = "found a lane whose operand the macro does not have, need a number of a parameter";
            return Err(Error::Malformed { place: format!("macro {}", called.name), rule });
        }
        Ok(())
    }

    fn resolve(&self, array: ArrayId, index: i64) -> Result<Object> {
        self.directory.resolve(array, index).ok_or_else(|| match self.directory.elements(array) {
            Some(elements) => Error::OutOfRange {
                place: format!("{}: {}", self.phase, self.directory.label(array)),
                what: "index",
                found: index.into(),
                least: 0,
                most: i128::from(elements) - 1,
            },
            None => Error::UndefinedArray {
                place: self.phase.clone(),
                array: array.0,
                defined: self.directory.len(),
            },
        })
    }

    /// The object, if it was born.
    pub fn alloc(&mut self, array: ArrayId, index: i64) -> Result<Option<Object>> {
        let object = self.resolve(array, index)?;
        if object.array == array {
            return match self.liveness.alloc(object)? {
                Change::Refused => Err(self.alive(array, object.index)),
                _ => Ok(Some(object)),
            };
        }
        match self.liveness.refer(array, index as u64, object)? {
            Change::Refused if !self.liveness.is_live(object) => {
                Err(self.dead("reference", object.array, object.index))
            }
            Change::Refused => Err(self.alive(array, index as u64)),
            _ => Ok(None),
        }
    }

    /// The object, if it died.
    pub fn free(&mut self, array: ArrayId, index: i64) -> Result<Option<Object>> {
        let object = self.resolve(array, index)?;
        let change = if object.array == array {
            self.liveness.free(object)?
        } else {
            self.liveness.release(array, index as u64, object)?
        };
        match change {
            Change::Refused => Err(self.dead("release", array, index as u64)),
            Change::Died => Ok(Some(object)),
            Change::Born | Change::Lives => Ok(None),
        }
    }

    fn dead(&self, action: &'static str, array: ArrayId, index: u64) -> Error {
        Error::Dead { phase: self.phase.clone(), action, label: self.directory.label(array).into(), index }
    }

    fn alive(&self, array: ArrayId, index: u64) -> Error {
        Error::Alive { phase: self.phase.clone(), label: self.directory.label(array).into(), index }
    }

    fn outside(&self, what: &'static str, found: i128, least: i128, most: i128) -> Error {
        Error::OutOfRange { place: self.phase.clone(), what, found, least, most }
    }
}
