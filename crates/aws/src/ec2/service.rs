use polycloud_core::{Error, ErrorKind};
use polycloud_wire::{Answer, Reason, Refusal};

use super::action::OTHER;
use super::error;
use crate::service::{AwsService, Dialect};

/// EC2, or one of its sisters, as the wire knows it.
pub(super) type Ec2Service = AwsService<Protocol>;

/// What a service speaks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Protocol {
    /// The EC2 Query protocol, with XML.
    Query,
    /// The AWS JSON protocol.
    Json,
}

impl Dialect for Protocol {
    fn refusal(&self, answer: &Answer<'_>) -> Refusal {
        error::refusal(*self, answer)
    }

    /// None of these services says that it fails in an answer that has the status of a success. But the
    /// parser of the SDK takes a document that is cut off for a complete one.
    fn hidden_refusal(&self, answer: &Answer<'_>) -> Option<Refusal> {
        if *self == Self::Json || is_complete(answer.operation, answer.body) {
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
