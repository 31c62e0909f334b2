//! Cases of computes.

use crate::case::Case;

/// The cases of each file.
pub(crate) static AREAS: &[&[Case]] = &[];
