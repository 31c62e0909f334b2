use polycloud_wire::{Answer, Refusal};

use crate::error;
use crate::service::{AwsService, Dialect};

/// S3 as the wire knows it.
pub(crate) type S3Service = AwsService<S3>;

/// Refusals as XML documents, some of them in answers that begin as successes.
#[derive(Debug)]
pub(crate) struct S3;

impl Dialect for S3 {
    fn refusal(&self, answer: &Answer<'_>) -> Refusal {
        error::refusal(answer)
    }

    fn hidden_refusal(&self, answer: &Answer<'_>) -> Option<Refusal> {
        error::hidden_refusal(answer)
    }
}
