use std::fmt;

use serde::{Deserialize, Serialize};

/// What an instance is doing, in terms that are the same on every provider.
///
/// The provider's own word travels beside it in [`InstanceStatus::native`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum InstanceState {
    /// Accepted, and on its way to run: being created, started or resumed.
    Pending,
    /// The machine runs. What it boots may still be starting.
    Running,
    /// On its way to stop.
    Stopping,
    /// Stopped; its disk is kept.
    Stopped,
    /// Its memory is being saved.
    Suspending,
    /// Stopped with its memory saved.
    Suspended,
    /// The provider is moving or repairing it.
    Repairing,
    /// On its way to be removed.
    Terminating,
    /// Removed. Providers show it for a while, or answer `NotFound` at once.
    Terminated,
    /// It could not be created or started, and will not recover by itself.
    Failed,
    /// The provider used a word that this library does not know.
    Unknown,
}

/// Whether a state can still be reached.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Reach {
    /// The instance is in it.
    Now,
    /// It may get there by itself.
    Yes,
    /// Only if someone starts, stops or terminates it.
    NeedsAction,
    /// Not any more.
    Never,
}

impl InstanceState {
    /// Every state.
    pub const ALL: [Self; 11] = [
        Self::Pending,
        Self::Running,
        Self::Stopping,
        Self::Stopped,
        Self::Suspending,
        Self::Suspended,
        Self::Repairing,
        Self::Terminating,
        Self::Terminated,
        Self::Failed,
        Self::Unknown,
    ];

    /// Whether it will pass by itself.
    #[must_use]
    pub fn is_transitional(self) -> bool {
        matches!(
            self,
            Self::Pending | Self::Stopping | Self::Suspending | Self::Repairing | Self::Terminating
        )
    }

    /// Whether an instance in this state gets to `target`, so that a waiter can give up at once.
    #[must_use]
    pub fn reach(self, target: Self) -> Reach {
        if self == target {
            return Reach::Now;
        }
        match (self, target) {
            (Self::Terminated, _) => Reach::Never,
            (Self::Terminating, Self::Terminated) => Reach::Yes,
            (Self::Terminating, _) => Reach::Never,
            (_, Self::Unknown) => Reach::Never,
            // An unknown word, and the provider's own repair, may lead anywhere.
            (Self::Unknown | Self::Repairing, _) => Reach::Yes,
            (Self::Pending, Self::Running | Self::Failed) => Reach::Yes,
            (Self::Stopping, Self::Stopped) | (Self::Suspending, Self::Suspended) => Reach::Yes,
            (Self::Failed, Self::Terminating | Self::Terminated) => Reach::NeedsAction,
            (Self::Failed, _) => Reach::Never,
            _ => Reach::NeedsAction,
        }
    }

    /// The word for tables and logs.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Pending => "pending",
            Self::Running => "running",
            Self::Stopping => "stopping",
            Self::Stopped => "stopped",
            Self::Suspending => "suspending",
            Self::Suspended => "suspended",
            Self::Repairing => "repairing",
            Self::Terminating => "terminating",
            Self::Terminated => "terminated",
            Self::Failed => "failed",
            Self::Unknown => "unknown",
        }
    }
}

impl fmt::Display for InstanceState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

/// Why an instance is in its state.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum StateReason {
    /// Someone asked for it.
    UserRequest,
    /// The provider took the machine back.
    Preempted,
    /// The machine or its host broke down.
    HostError,
    /// There was no machine to be had.
    CapacityLost,
    /// The guest shut itself down.
    GuestShutdown,
    /// Anything else, in the provider's words.
    Other {
        /// The provider's code.
        code: String,
        /// The provider's message.
        message: String,
    },
}

/// The state of an instance with what the provider said about it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct InstanceStatus {
    /// The state.
    pub state: InstanceState,
    /// The provider's own word, such as `STAGING` or `PowerState/stopped`.
    pub native: String,
    /// Why, where the provider tells.
    pub reason: Option<StateReason>,
    /// Whether compute time is being billed, where that is known. An Azure machine that is stopped but
    /// not deallocated is.
    pub compute_billed: Option<bool>,
}

impl InstanceStatus {
    /// A state with the provider's word for it.
    pub fn new(state: InstanceState, native: impl Into<String>) -> Self {
        Self { state, native: native.into(), reason: None, compute_billed: None }
    }

    /// Sets the reason.
    #[must_use]
    pub fn with_reason(mut self, reason: StateReason) -> Self {
        self.reason = Some(reason);
        self
    }

    /// Sets whether compute time is being billed.
    #[must_use]
    pub fn with_compute_billed(mut self, billed: bool) -> Self {
        self.compute_billed = Some(billed);
        self
    }
}

impl fmt::Display for InstanceStatus {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} ({})", self.state, self.native)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_state_reaches_itself_and_the_dead_reach_nothing() {
        for state in InstanceState::ALL {
            assert_eq!(state.reach(state), Reach::Now);
            if state != InstanceState::Terminated {
                assert_eq!(InstanceState::Terminated.reach(state), Reach::Never);
                assert_ne!(state.reach(InstanceState::Terminated), Reach::Never, "{state}");
            }
        }
    }

    #[test]
    fn waiters_can_give_up() {
        use InstanceState as S;
        let rows = [
            (S::Pending, S::Running, Reach::Yes),
            (S::Stopped, S::Running, Reach::NeedsAction),
            (S::Terminating, S::Running, Reach::Never),
            (S::Failed, S::Running, Reach::Never),
            (S::Failed, S::Terminated, Reach::NeedsAction),
            (S::Stopping, S::Stopped, Reach::Yes),
            (S::Repairing, S::Running, Reach::Yes),
            (S::Running, S::Terminated, Reach::NeedsAction),
        ];
        for (from, to, expected) in rows {
            assert_eq!(from.reach(to), expected, "{from} to {to}");
        }
    }
}
