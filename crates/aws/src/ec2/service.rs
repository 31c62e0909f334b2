use std::fmt;
use std::sync::Arc;
use std::time::SystemTime;

use polycloud_core::Result;
use polycloud_wire::client::RequestBody;
use polycloud_wire::{Answer, Refusal, Service};

use super::error;
use crate::credentials::{CredentialSource, Credentials};
use crate::sign::SigV4;

/// How a service says that it refuses.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Dialect {
    /// By the XML of the EC2 Query protocol.
    Query,
    /// By the JSON of the AWS JSON protocol.
    Json,
}

/// How a service of Amazon's other than S3 is spoken to.
pub(super) struct AwsService {
    pub(super) credentials: CredentialSource,
    pub(super) signer: SigV4,
    pub(super) dialect: Dialect,
}

impl Service for AwsService {
    type Credentials = Credentials;

    fn provider(&self) -> &'static str {
        crate::PROVIDER
    }

    async fn authorize(
        &self,
        request: &mut http::Request<RequestBody>,
        now: SystemTime,
    ) -> Result<Option<Arc<Credentials>>> {
        let credentials = match self.credentials.cached() {
            Some(credentials) => Some(credentials),
            None => self.credentials.get().await?,
        };
        if let Some(credentials) = &credentials {
            self.signer.sign(request, credentials, now)?;
        }
        Ok(credentials)
    }

    fn forget(&self, credentials: &Arc<Credentials>) {
        self.credentials.forget(credentials);
    }

    fn refusal(&self, answer: &Answer<'_>) -> Refusal {
        error::refusal(self.dialect, answer)
    }

    /// None of these services fails in an answer that has the status of a success.
    fn hidden_refusal(&self, _: &Answer<'_>) -> Option<Refusal> {
        None
    }
}

impl fmt::Debug for AwsService {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AwsService").field("signer", &self.signer).finish_non_exhaustive()
    }
}
