//! Service Quotas.

use super::call::Targets;

pub(crate) const TARGETS: Targets = &[];
