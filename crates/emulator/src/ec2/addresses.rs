//! Elastic IP addresses.

use super::call::Actions;

pub(crate) const ACTIONS: Actions = &[];

/// An address that belongs to the account.
#[derive(Debug, Clone)]
pub(crate) struct Address {
    pub(crate) allocation: String,
    pub(crate) public_ip: std::net::Ipv4Addr,
    /// The association and the interface, if it is associated.
    pub(crate) association: Option<(String, String)>,
}
