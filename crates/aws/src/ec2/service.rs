use std::fmt;
use std::sync::Arc;
use std::time::SystemTime;

use polycloud_core::{Error, ErrorKind, Result};
use polycloud_wire::client::RequestBody;
use polycloud_wire::{Answer, Reason, Refusal, Service};

use super::action::OTHER;
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

    /// None of these services says that it fails in an answer that has the status of a success. But the
    /// parser of the SDK takes a document that is cut off for a complete one.
    fn hidden_refusal(&self, answer: &Answer<'_>) -> Option<Refusal> {
        if self.dialect == Dialect::Json || is_complete(answer.operation, answer.body) {
            return None;
        }
        let error = Error::new(ErrorKind::InvalidResponse)
            .with_status(answer.status.as_u16())
            .with_message("the answer is no document, or is cut off");
        Some(Refusal::new(error, Reason::Failed))
    }
}

/// Whether a document ends as the answer to an action does.
pub(super) fn is_complete(operation: &str, body: &[u8]) -> bool {
    let rest = body.trim_ascii_end().strip_suffix(b"Response>").unwrap_or_default();
    match operation {
        // An action that is not known by its name.
        OTHER => !rest.is_empty(),
        _ => rest.strip_suffix(operation.as_bytes()).is_some_and(|rest| rest.ends_with(b"</")),
    }
}

impl fmt::Debug for AwsService {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AwsService").field("signer", &self.signer).finish_non_exhaustive()
    }
}
