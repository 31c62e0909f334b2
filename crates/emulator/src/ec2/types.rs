//! Types of machines.

use super::call::Actions;

pub(crate) const ACTIONS: Actions = &[];
