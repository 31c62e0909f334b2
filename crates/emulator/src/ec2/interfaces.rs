//! Network interfaces.

use std::net::Ipv4Addr;
use std::time::SystemTime;

use super::call::Actions;

pub(crate) const ACTIONS: Actions = &[];

/// A network interface.
#[derive(Debug, Clone)]
pub(crate) struct Interface {
    pub(crate) id: String,
    pub(crate) subnet: String,
    pub(crate) vpc: String,
    pub(crate) zone: String,
    pub(crate) description: String,
    pub(crate) mac: String,
    pub(crate) private_ip: Ipv4Addr,
    /// The address that comes and goes with the instance; that of an association is in `addresses`.
    pub(crate) public_ip: Option<Ipv4Addr>,
    /// Ids of security groups.
    pub(crate) groups: Vec<String>,
    pub(crate) source_dest_check: bool,
    /// None: `available`.
    pub(crate) attachment: Option<InterfaceAttachment>,
}

/// An interface on an instance.
#[derive(Debug, Clone)]
pub(crate) struct InterfaceAttachment {
    pub(crate) id: String,
    pub(crate) instance: String,
    pub(crate) device_index: u32,
    pub(crate) since: SystemTime,
    pub(crate) delete_on_termination: bool,
}
