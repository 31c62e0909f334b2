//! Systems Manager: public parameters.

use super::call::Targets;

pub(crate) const TARGETS: Targets = &[];
