use std::sync::Arc;

use polycloud_core::clock::{Clock, Random, SystemClock, SystemRandom};
use polycloud_wire::client::{HttpClient, HyperClientBuilder};

use crate::config::Environment;

/// What stores share: connections, the clock, chance, and the variables and files that settings come from.
///
/// Cheap to clone. Stores that are opened with clones of one session use one pool of connections.
#[derive(Debug, Clone)]
pub struct Session {
    pub(crate) client: Arc<dyn HttpClient>,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) random: Arc<dyn Random>,
    pub(crate) environment: Environment,
}

impl Session {
    /// The built-in client, the clock of the machine and the environment of the process. Opens nothing.
    #[must_use]
    pub fn new() -> Self {
        Self {
            client: Arc::new(HyperClientBuilder::default().build()),
            clock: SystemClock::shared(),
            random: Arc::new(SystemRandom),
            environment: Environment::default(),
        }
    }

    /// Sends requests by another client.
    #[must_use]
    pub fn with_client(mut self, client: Arc<dyn HttpClient>) -> Self {
        self.client = client;
        self
    }

    /// Takes the time from another clock.
    #[must_use]
    pub fn with_clock(mut self, clock: Arc<dyn Clock>) -> Self {
        self.clock = clock;
        self
    }

    /// Takes the jitter of delays from elsewhere.
    #[must_use]
    pub fn with_random(mut self, random: Arc<dyn Random>) -> Self {
        self.random = random;
        self
    }

    #[cfg(test)]
    pub(crate) fn with_environment(mut self, environment: Environment) -> Self {
        self.environment = environment;
        self
    }
}

impl Default for Session {
    fn default() -> Self {
        Self::new()
    }
}
