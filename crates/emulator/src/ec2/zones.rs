//! Regions and zones.

use super::call::Actions;

pub(crate) const ACTIONS: Actions = &[];

/// The zones of a region.
pub(crate) fn of(region: &str) -> Vec<String> {
    ["a", "b", "c"].map(|letter| format!("{region}{letter}")).to_vec()
}
