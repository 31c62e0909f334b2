//! Cases of object stores and buckets.

use crate::case::Case;

mod attributes;
mod bucket_settings;
mod buckets;
mod checksums;
mod conditions_read;
mod conditions_write;
mod copy;
mod delete_many;
mod errors;
mod keys;
mod kit;
mod list;
mod multipart;
mod paging;
mod payload;
mod put_get;
mod races;
mod range;
mod tags;
mod update;
mod upload;
mod versioning;
mod versions;

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
    paging::CASES,
    versions::CASES,
    versioning::CASES,
    buckets::CASES,
    bucket_settings::CASES,
    attributes::CASES,
    checksums::CASES,
    tags::CASES,
    update::CASES,
    upload::CASES,
    payload::CASES,
    multipart::CASES,
    multipart::object::CASES,
    races::CASES,
    errors::CASES,
];
