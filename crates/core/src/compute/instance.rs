use std::net::IpAddr;
use std::time::SystemTime;

use super::id::{InstanceId, InstanceName};
use super::labels::{Labels, Owner};
use super::state::{InstanceState, InstanceStatus};
use crate::page::PageToken;

/// An instance as the provider describes it at one moment.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Instance {
    /// Identifies it.
    pub id: InstanceId,
    /// Its name.
    pub name: InstanceName,
    /// Its state.
    pub status: InstanceStatus,
    /// The provider's name of its hardware.
    pub instance_type: String,
    /// The provider's identifier of the image it was booted from, where that is known.
    pub image: Option<String>,
    /// Its zone, where there is one.
    pub zone: Option<String>,
    /// Addresses that the outside can reach.
    pub public_ips: Vec<IpAddr>,
    /// Addresses within its network.
    pub private_ips: Vec<IpAddr>,
    /// Its labels, without those of this library.
    pub labels: Labels,
    /// Who it belongs to, if its create said so.
    pub owner: Option<Owner>,
    /// Whether the provider may take it back.
    pub spot: bool,
    /// When it was created, where the provider tells.
    pub created: Option<SystemTime>,
}

impl Instance {
    /// An instance with nothing optional in it.
    pub fn new(
        id: InstanceId,
        name: InstanceName,
        status: InstanceStatus,
        instance_type: impl Into<String>,
    ) -> Self {
        Self {
            id,
            name,
            status,
            instance_type: instance_type.into(),
            image: None,
            zone: None,
            public_ips: Vec::new(),
            private_ips: Vec::new(),
            labels: Labels::new(),
            owner: None,
            spot: false,
            created: None,
        }
    }

    /// Its state.
    #[must_use]
    pub fn state(&self) -> InstanceState {
        self.status.state
    }

    /// The address to reach it at: the first public one, or else the first private one.
    #[must_use]
    pub fn ip(&self) -> Option<IpAddr> {
        self.public_ips.first().or_else(|| self.private_ips.first()).copied()
    }
}

/// A part of a listing of instances.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct InstancePage {
    /// Instances, in no particular order. May be empty although more follows.
    pub instances: Vec<Instance>,
    /// Where the listing goes on, or `None` at its end.
    pub next: Option<PageToken>,
}

impl InstancePage {
    /// A page.
    #[must_use]
    pub fn new(instances: Vec<Instance>, next: Option<PageToken>) -> Self {
        Self { instances, next }
    }
}
