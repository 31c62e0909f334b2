use std::fmt;

use serde::{Deserialize, Serialize};

use super::instance::Instance;
use super::labels::{Labels, Owner};
use super::state::InstanceState;
use crate::capability::{Feature, Requires};
use crate::error::{Error, Result};

/// How to create instances.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct CreateOptions {
    /// Who the instances belong to, for [`sweep`](super::Sweep).
    pub owner: Option<Owner>,
    /// Makes the create idempotent: repeating it with the same token and spec returns the instances
    /// that the first one made. Drawn at random for each call if unset.
    pub token: Option<IdempotencyToken>,
}

impl CreateOptions {
    /// Sets the owner.
    #[must_use]
    pub fn with_owner(mut self, owner: Owner) -> Self {
        self.owner = Some(owner);
        self
    }

    /// Sets the token.
    #[must_use]
    pub fn with_token(mut self, token: IdempotencyToken) -> Self {
        self.token = Some(token);
        self
    }
}

impl Requires for CreateOptions {
    fn requires(&self, need: &mut dyn FnMut(Feature)) {
        let Self { owner, token } = self;
        if owner.is_some() {
            need(Feature::Sweep);
        }
        if token.is_some() {
            need(Feature::IdempotentCreate);
        }
    }
}

/// Tells a repeated create from a new one: 1 to 64 printable ASCII characters without space.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct IdempotencyToken(String);

impl IdempotencyToken {
    /// Checks and wraps a token.
    ///
    /// # Errors
    /// [`InvalidArgument`](crate::ErrorKind::InvalidArgument) if a rule is broken.
    pub fn new(token: impl Into<String>) -> Result<Self> {
        let token = token.into();
        if (1..=64).contains(&token.len()) && token.bytes().all(|b| b.is_ascii_graphic()) {
            return Ok(Self(token));
        }
        Err(Error::invalid(
            "an idempotency token is 1 to 64 printable ASCII characters without space",
        ))
    }

    /// The token.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for IdempotencyToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}

impl TryFrom<String> for IdempotencyToken {
    type Error = Error;

    fn try_from(token: String) -> Result<Self> {
        Self::new(token)
    }
}

impl From<IdempotencyToken> for String {
    fn from(token: IdempotencyToken) -> Self {
        token.0
    }
}

/// How many instances to create: at least `min`, at most `max`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Count {
    min: u32,
    max: u32,
}

impl Count {
    /// Most instances of one create.
    pub const MAX: u32 = 1_000;

    /// Checks and joins the bounds.
    ///
    /// # Errors
    /// [`InvalidArgument`](crate::ErrorKind::InvalidArgument) unless 1 ≤ min ≤ max ≤ 1,000.
    pub fn new(min: u32, max: u32) -> Result<Self> {
        if 1 <= min && min <= max && max <= Self::MAX {
            return Ok(Self { min, max });
        }
        Err(Error::invalid(format!(
            "a count needs 1 <= min <= max <= {}, not {min}..{max}",
            Self::MAX
        )))
    }

    /// Exactly so many.
    ///
    /// # Errors
    /// As [`new`](Self::new).
    pub fn exactly(count: u32) -> Result<Self> {
        Self::new(count, count)
    }

    /// The least.
    #[must_use]
    pub fn min(self) -> u32 {
        self.min
    }

    /// The most.
    #[must_use]
    pub fn max(self) -> u32 {
        self.max
    }
}

/// What a create of many instances made.
#[derive(Debug)]
#[non_exhaustive]
pub struct CreateReport {
    /// The instances: at least `min`, at most `max`.
    pub instances: Vec<Instance>,
    /// Why there are fewer than `max`.
    pub shortfall: Option<Error>,
}

impl CreateReport {
    /// A report.
    #[must_use]
    pub fn new(instances: Vec<Instance>, shortfall: Option<Error>) -> Self {
        Self { instances, shortfall }
    }
}

/// Which instances to list. What is unset does not restrict.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct InstanceFilter {
    /// Instances that have all of these labels.
    pub labels: Labels,
    /// Instances in one of these states; every state but `Terminated` if empty.
    pub states: Vec<InstanceState>,
    /// Instances in this zone.
    pub zone: Option<String>,
    /// Instances of this owner.
    pub owner: Option<Owner>,
    /// Most entries of a page; the provider's own number if unset or larger.
    pub page_size: Option<u32>,
}

impl InstanceFilter {
    /// Sets the labels.
    #[must_use]
    pub fn with_labels(mut self, labels: Labels) -> Self {
        self.labels = labels;
        self
    }

    /// Sets the states.
    #[must_use]
    pub fn with_states(mut self, states: impl IntoIterator<Item = InstanceState>) -> Self {
        self.states = states.into_iter().collect();
        self
    }

    /// Sets the zone.
    #[must_use]
    pub fn with_zone(mut self, zone: impl Into<String>) -> Self {
        self.zone = Some(zone.into());
        self
    }

    /// Sets the owner.
    #[must_use]
    pub fn with_owner(mut self, owner: Owner) -> Self {
        self.owner = Some(owner);
        self
    }

    /// Sets the most entries of a page; 0 counts as 1.
    #[must_use]
    pub fn with_page_size(mut self, page_size: u32) -> Self {
        self.page_size = Some(page_size);
        self
    }

    /// Whether an instance is one of them. Backends use it for what their provider cannot filter by.
    #[must_use]
    pub fn matches(&self, instance: &Instance) -> bool {
        let Self { labels, states, zone, owner, page_size: _ } = self;
        let state = instance.state();
        let in_state = if states.is_empty() {
            state != InstanceState::Terminated
        } else {
            states.contains(&state)
        };
        in_state
            && instance.labels.contains(labels)
            && (zone.is_none() || *zone == instance.zone)
            && (owner.is_none() || *owner == instance.owner)
    }
}

impl Requires for InstanceFilter {
    fn requires(&self, need: &mut dyn FnMut(Feature)) {
        let Self { labels, states: _, zone, owner, page_size: _ } = self;
        if !labels.is_empty() {
            need(Feature::Labels);
        }
        if zone.is_some() {
            need(Feature::Zones);
        }
        if owner.is_some() {
            need(Feature::Sweep);
        }
    }
}

/// How to stop an instance: what is kept, and what is billed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
#[non_exhaustive]
pub enum StopMode {
    /// Shut down and give the machine back. Disks are billed, compute is not.
    #[default]
    Deallocate,
    /// Shut down and keep the machine. Compute is billed on.
    KeepAllocated,
    /// Save the memory and give the machine back. The saved memory is billed as storage.
    Suspend,
    /// Cut the power and give the machine back.
    Force,
}

impl StopMode {
    /// Every mode.
    pub const ALL: [Self; 4] = [Self::Deallocate, Self::KeepAllocated, Self::Suspend, Self::Force];
}

impl Requires for StopMode {
    fn requires(&self, need: &mut dyn FnMut(Feature)) {
        need(match self {
            Self::Deallocate => Feature::StopDeallocate,
            Self::KeepAllocated => Feature::StopKeepAllocated,
            Self::Suspend => Feature::StopSuspend,
            Self::Force => Feature::StopForce,
        });
    }
}

/// How to restart an instance.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
#[non_exhaustive]
pub enum RestartMode {
    /// Through the guest's own shutdown.
    #[default]
    Graceful,
    /// As if by the reset button.
    Force,
}

impl Requires for RestartMode {
    fn requires(&self, need: &mut dyn FnMut(Feature)) {
        need(match self {
            Self::Graceful => Feature::RestartGraceful,
            Self::Force => Feature::RestartForce,
        });
    }
}

/// How to terminate an instance.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct TerminateOptions {
    /// Refuses, with `PermissionDenied`, unless the instance belongs to this owner.
    pub only_owner: Option<Owner>,
}

impl TerminateOptions {
    /// Sets the owner that it must belong to.
    #[must_use]
    pub fn with_only_owner(mut self, owner: Owner) -> Self {
        self.only_owner = Some(owner);
        self
    }
}

impl Requires for TerminateOptions {
    fn requires(&self, need: &mut dyn FnMut(Feature)) {
        let Self { only_owner } = self;
        if only_owner.is_some() {
            need(Feature::Sweep);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_and_tokens_are_checked() {
        assert!(Count::new(1, 1000).is_ok());
        for (min, max) in [(0, 1), (2, 1), (1, 1001), (u32::MAX, u32::MAX)] {
            assert!(Count::new(min, max).is_err(), "{min}..{max}");
        }
        assert!(IdempotencyToken::new("a-1").is_ok());
        for bad in ["", "a b", "é", &"x".repeat(65)] {
            assert!(IdempotencyToken::new(bad).is_err(), "{bad}");
        }
    }
}
