//! What an instance is.

use std::fmt;
use std::time::SystemTime;

use crate::ec2::userdata::Console;

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

impl State {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Pending => "pending",
            Self::Running => "running",
            Self::ShuttingDown => "shutting-down",
            Self::Terminated => "terminated",
            Self::Stopping => "stopping",
            Self::Stopped => "stopped",
        }
    }

    pub(crate) fn code(self) -> u8 {
        match self {
            Self::Pending => 0,
            Self::Running => 16,
            Self::ShuttingDown => 32,
            Self::Terminated => 48,
            Self::Stopping => 64,
            Self::Stopped => 80,
        }
    }

    /// Whether it takes room on a machine.
    pub(crate) fn is_placed(self) -> bool {
        matches!(self, Self::Pending | Self::Running | Self::Stopping | Self::ShuttingDown)
    }

    /// Whether it counts for the quota of virtual processors.
    pub(crate) fn is_counted(self) -> bool {
        matches!(self, Self::Pending | Self::Running)
    }

    /// Whether it is over or about to be.
    pub(crate) fn is_ending(self) -> bool {
        matches!(self, Self::ShuttingDown | Self::Terminated)
    }
}

/// Why an instance is in its state.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Reason {
    /// Such as `Client.UserInitiatedShutdown`.
    pub(crate) code: String,
    pub(crate) message: String,
}

impl Reason {
    /// `text` follows the code in the message.
    pub(crate) fn new(code: &str, text: &str) -> Self {
        Self { code: code.to_owned(), message: format!("{code}: {text}") }
    }
}

/// User data as it was given, without base64.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct UserData(Vec<u8>);

impl UserData {
    pub(crate) fn new(bytes: Vec<u8>) -> Self {
        Self(bytes)
    }

    pub(crate) fn bytes(&self) -> &[u8] {
        &self.0
    }
}

impl fmt::Debug for UserData {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("UserData").field(&self.0.len()).finish()
    }
}

/// How the metadata service of an instance is set.
#[derive(Debug, Clone)]
pub(crate) struct MetadataOptions {
    pub(crate) tokens: String,
    pub(crate) hop_limit: u32,
    pub(crate) endpoint: String,
    pub(crate) tags: String,
}

/// What happens to a spot instance that is taken away.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Interruption {
    Terminate,
    Stop,
    Hibernate,
}

impl Interruption {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Terminate => "terminate",
            Self::Stop => "stop",
            Self::Hibernate => "hibernate",
        }
    }
}

/// An instance.
#[derive(Debug, Clone)]
pub(crate) struct Instance {
    pub(crate) id: String,
    pub(crate) reservation: String,
    pub(crate) launch_index: usize,
    pub(crate) state: State,
    /// When it comes to the next state by itself.
    pub(crate) due: Option<SystemTime>,
    pub(crate) launched: SystemTime,
    /// Since when it runs.
    pub(crate) running_since: Option<SystemTime>,
    pub(crate) reason: Option<Reason>,
    /// `User initiated (2026-01-31 23:59:59 GMT)`.
    pub(crate) transition_reason: String,
    /// It ends like this instead of running.
    pub(crate) fails_with: Option<Reason>,
    pub(crate) image: String,
    pub(crate) machine_type: String,
    pub(crate) vcpus: u32,
    pub(crate) architecture: String,
    pub(crate) zone: String,
    pub(crate) vpc: String,
    pub(crate) root_device: String,
    pub(crate) key_name: Option<String>,
    pub(crate) client_token: Option<String>,
    /// The ARN of the profile and an id.
    pub(crate) profile: Option<(String, String)>,
    pub(crate) placement_group: Option<String>,
    pub(crate) tenancy: String,
    pub(crate) user_data: Option<UserData>,
    pub(crate) monitoring: bool,
    pub(crate) ebs_optimized: bool,
    pub(crate) hibernation: bool,
    pub(crate) metadata: MetadataOptions,
    /// `stop` or `terminate`.
    pub(crate) shutdown_behavior: String,
    pub(crate) disable_api_termination: bool,
    pub(crate) disable_api_stop: bool,
    pub(crate) source_dest_check: bool,
    /// Whether a public address comes with every start.
    pub(crate) public_ip: bool,
    pub(crate) spot_request: Option<String>,
    pub(crate) console: Console,
    pub(crate) booted: bool,
    /// Ids of interfaces that it has, the first one first.
    pub(crate) interfaces: Vec<String>,
}

impl Instance {
    /// Whether it may be taken away.
    pub(crate) fn is_spot(&self) -> bool {
        self.spot_request.is_some()
    }
}
