//! What a create has made so far: for its undo, and for the journal.

use std::future::Future;

use polycloud_core::compute::{Intent, IntentId, IntentJournal, Undo};
use polycloud_core::{Error, Outcome, ResourceRef, Result};

use super::Inner;
use super::plan::Request;

/// The kind of instances among resources.
pub(super) const INSTANCE: &str = "instance";
/// The kind of security groups among resources.
pub(super) const GROUP: &str = "security group";
/// The kind of key pairs among resources.
pub(super) const KEY_PAIR: &str = "key pair";
/// The kind of volumes among resources.
pub(super) const VOLUME: &str = "volume";

/// What a create has made so far.
pub(super) struct Ledger {
    undo: Undo,
    intent: Option<(IntentJournal, IntentId)>,
}

impl Ledger {
    /// Nothing yet. Writes down what is about to be made.
    pub(super) async fn open(inner: &Inner, request: &Request<'_>) -> Result<Self> {
        let intent = match &inner.journal {
            Some(journal) => {
                let intent = Intent::new(
                    request.token.clone(),
                    request.owner.cloned(),
                    request.spec.name.clone(),
                    inner.region(),
                    inner.caller.now(),
                );
                Some((journal.clone(), journal.begin(intent).await?))
            }
            None => None,
        };
        Ok(Self { undo: Undo::new(), intent })
    }

    /// Notes what may have been made.
    pub(super) fn suspect(
        &mut self,
        resource: ResourceRef,
        remove: impl Future<Output = Result<()>> + Send + 'static,
    ) {
        self.undo.push(resource, remove);
    }

    /// Notes what was made, which is not found by the create's token alone.
    pub(super) async fn note(
        &mut self,
        resource: ResourceRef,
        remove: impl Future<Output = Result<()>> + Send + 'static,
    ) -> Result<()> {
        self.undo.push(resource.clone(), remove);
        match &self.intent {
            Some((journal, id)) => journal.note(id, &resource).await,
            None => Ok(()),
        }
    }

    /// All is well.
    pub(super) async fn keep(self) -> Result<()> {
        self.undo.keep();
        match self.intent {
            Some((journal, id)) => {
                journal.done(&id).await.map_err(|error| error.with_outcome(Outcome::Applied))
            }
            None => Ok(()),
        }
    }

    /// Takes everything back because of an error.
    pub(super) async fn undo(self, error: Error) -> Error {
        let error = self.undo.run(error).await;
        if !error.leaked().is_empty() {
            return error;
        }
        if let Some((journal, id)) = self.intent {
            // An intent that stays is looked for once more by the next sweep, which finds nothing.
            journal.done(&id).await.ok();
        }
        error.with_outcome(Outcome::NotApplied)
    }
}
