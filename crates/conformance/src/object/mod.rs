//! Cases of object stores and buckets.

use crate::case::Case;

mod put_get;

/// The cases of each file.
pub(crate) static AREAS: &[&[Case]] = &[put_get::CASES];
