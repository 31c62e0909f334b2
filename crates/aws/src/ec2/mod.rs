//! Amazon EC2.

mod action;
mod capabilities;
mod choice;
mod codes;
mod compute;
mod config;
mod console;
mod create;
mod error;
mod firewalls;
mod fresh;
mod image;
mod images;
mod ingress;
mod instance;
mod key_pairs;
mod labels;
mod launch;
mod ledger;
mod lifecycle;
mod list;
mod location;
mod names;
mod networks;
mod patience;
mod plan;
mod quotas;
mod removal;
mod resize;
mod sdk;
mod service;
mod sweep;
mod tags;
mod terminate;
#[cfg(test)]
mod tests;
mod types;
mod user_data;
mod volumes;

use std::fmt;
use std::sync::Arc;

use polycloud_core::capability::Capabilities;
use polycloud_core::compute::{ComputeInfo, InstanceId, IntentJournal};
use polycloud_core::{Error, ErrorKind, Result};
use polycloud_wire::encode;

pub use self::config::Ec2Config;
use self::config::Resolved;
use self::sdk::Caller;
use crate::PROVIDER;

/// Amazon EC2 in one region. Cheap to clone; clones share connections, credentials and the retry budget.
///
/// Opened by [`Ec2Config::open`].
#[derive(Clone)]
pub struct Ec2Compute(Arc<Inner>);

struct Inner {
    info: ComputeInfo,
    capabilities: Capabilities,
    caller: Caller,
    catalogue: types::Catalogue,
    choice: choice::Last<choice::Choice>,
    consoles: console::Consoles,
    fresh: fresh::Fresh,
    /// The subnet that instances are created in, if not the default one of their zone.
    subnet: Option<String>,
    /// Whether instances are created so that they can hibernate.
    hibernates: bool,
    /// Where creates are written down ahead of time.
    journal: Option<IntentJournal>,
}

impl Ec2Compute {
    fn from_resolved(resolved: Resolved) -> Self {
        let mut url = format!("ec2://{}", resolved.region);
        if let Some(endpoint) = &resolved.endpoint {
            url.push_str("?endpoint=");
            encode::component(endpoint, &mut url);
        }
        let random = Arc::clone(&resolved.random);
        Self(Arc::new(Inner {
            info: ComputeInfo::new(PROVIDER, resolved.region.clone(), url),
            capabilities: capabilities::of(resolved.hibernates),
            caller: Caller::new(&resolved),
            catalogue: types::Catalogue::default(),
            choice: choice::Last::default(),
            consoles: console::Consoles::default(),
            fresh: fresh::Fresh::default(),
            journal: resolved.journal.map(|path| IntentJournal::new(path, random)),
            subnet: resolved.subnet,
            hibernates: resolved.hibernates,
        }))
    }
}

impl Inner {
    /// The region.
    fn region(&self) -> &str {
        &self.info.region
    }

    /// Amazon's own identifier of an instance of this region.
    fn native<'a>(&self, id: &'a InstanceId) -> Result<&'a str> {
        if id.provider() != PROVIDER || id.scope() != self.region() {
            return Err(Error::invalid(format!(
                "{id} is no instance of {PROVIDER}:{}",
                self.region()
            )));
        }
        Ok(id.native())
    }

    /// The identifier of an instance of this region.
    fn id(&self, native: &str) -> Result<InstanceId> {
        InstanceId::new(PROVIDER, self.region(), native)
            .map_err(|error| error.with_kind(ErrorKind::InvalidResponse))
    }
}

impl fmt::Debug for Ec2Compute {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Ec2Compute({})", self.0.info)
    }
}
