//! How Amazon's services are spoken to: requests signed by SigV4, refusals in the words of each.

use std::fmt;
use std::sync::Arc;
use std::time::SystemTime;

use polycloud_core::Result;
use polycloud_wire::client::RequestBody;
use polycloud_wire::{Answer, Refusal, Service};

use crate::credentials::{CredentialSource, Credentials};
use crate::sign::SigV4;

/// How a service says that it refuses.
pub(crate) trait Dialect: Send + Sync + 'static {
    /// What a refusal means.
    fn refusal(&self, answer: &Answer<'_>) -> Refusal;

    /// Finds a refusal in an answer whose status is a success.
    fn hidden_refusal(&self, answer: &Answer<'_>) -> Option<Refusal>;
}

/// A service, as the wire knows it.
pub(crate) struct AwsService<D> {
    pub(crate) credentials: CredentialSource,
    pub(crate) signer: SigV4,
    pub(crate) dialect: D,
}

impl<D: Dialect> Service for AwsService<D> {
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
        self.dialect.refusal(answer)
    }

    fn hidden_refusal(&self, answer: &Answer<'_>) -> Option<Refusal> {
        self.dialect.hidden_refusal(answer)
    }
}

impl<D> fmt::Debug for AwsService<D> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AwsService").field("signer", &self.signer).finish_non_exhaustive()
    }
}
