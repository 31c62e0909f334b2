//! What an instance is.

use std::time::SystemTime;

/// The states of an instance.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum State {
    Pending,
    Running,
    ShuttingDown,
    Terminated,
    Stopping,
    Stopped,
}

/// An instance.
#[derive(Debug, Clone)]
pub(crate) struct Instance {
    pub(crate) id: String,
    pub(crate) state: State,
    pub(crate) changed: SystemTime,
    pub(crate) spot_request: Option<String>,
}
