//! One file for each verb.

pub mod bare;
pub mod calibrate;
pub mod compare;
pub mod export;
pub mod info;
pub mod list;
pub mod manual;
pub mod place;
pub mod plot;
pub mod probe;
pub mod record;
pub mod replay;
pub mod reproduce;
pub mod script;
pub mod sweep;
pub mod validate;
