//! Where others do not do what Amazon S3 does, and why that is no fault of ours.
//!
//! A check that fails without being listed here fails the cross-check, and so does one that is listed and
//! does not fail.

/// Checks that fail for one reason.
#[derive(Debug)]
pub(crate) struct Deviation {
    /// Against what, or by what, is checked.
    pub(crate) part: &'static str,
    pub(crate) reason: &'static str,
    pub(crate) checks: &'static [&'static str],
}

pub(crate) const DEVIATIONS: &[Deviation] = &[];
