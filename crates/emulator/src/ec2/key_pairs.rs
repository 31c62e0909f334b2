//! Key pairs.

use std::time::SystemTime;

use super::call::Actions;

pub(crate) const ACTIONS: Actions = &[];

/// A key pair, of which the service keeps the public key.
#[derive(Debug, Clone)]
pub(crate) struct KeyPair {
    pub(crate) id: String,
    pub(crate) name: String,
    pub(crate) fingerprint: String,
    pub(crate) public_key: String,
    pub(crate) created: SystemTime,
}
