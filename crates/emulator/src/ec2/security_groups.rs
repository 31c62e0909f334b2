//! Security groups.

use super::call::Actions;

pub(crate) const ACTIONS: Actions = &[];

/// A security group.
#[derive(Debug, Clone)]
pub(crate) struct SecurityGroup {
    pub(crate) id: String,
    pub(crate) name: String,
    pub(crate) description: String,
    pub(crate) vpc: String,
}
