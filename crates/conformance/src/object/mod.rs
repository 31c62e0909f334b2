//! Cases of object stores and buckets.

use crate::case::Case;

mod conditions_read;
mod conditions_write;
mod copy;
mod delete_many;
mod keys;
mod kit;
mod list;
mod put_get;
mod range;

/// The cases of each file.
pub(crate) static AREAS: &[&[Case]] = &[
    put_get::CASES,
    keys::CASES,
    range::CASES,
    conditions_read::CASES,
    conditions_write::CASES,
    copy::CASES,
    delete_many::CASES,
    list::CASES,
];
