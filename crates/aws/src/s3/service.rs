use std::sync::Arc;
use std::time::SystemTime;

use polycloud_core::Result;
use polycloud_wire::client::RequestBody;
use polycloud_wire::{Answer, Refusal, Service};

use crate::credentials::{CredentialSource, Credentials};
use crate::error;
use crate::sign::SigV4;

/// How S3 is spoken to: requests signed by SigV4, refusals as XML documents.
#[derive(Debug)]
pub(crate) struct S3Service {
    pub(super) credentials: CredentialSource,
    pub(super) signer: SigV4,
}

impl Service for S3Service {
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
        error::refusal(answer)
    }

    fn hidden_refusal(&self, answer: &Answer<'_>) -> Option<Refusal> {
        error::hidden_refusal(answer)
    }
}
