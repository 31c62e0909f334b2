//! The state of EC2.

pub(crate) mod region;
pub(crate) mod tags;

pub(crate) use self::region::{Event, Region};
