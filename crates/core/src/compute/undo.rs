use std::fmt;

use futures::future::{BoxFuture, FutureExt as _};

use crate::error::{Error, Outcome, ResourceRef, Result};

/// What was made on the way to something larger, to be taken back if the rest of it fails.
///
/// Backends note every resource as soon as it may exist, together with what removes it. In the end they
/// [keep](Self::keep) all of it, or [run](Self::run) the removals with the error that made them
/// necessary. A caller that goes away in the midst does neither: what is left then is found by its token
/// or owner, or by the [journal](super::IntentJournal).
///
/// ```
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() {
/// use polycloud_core::compute::Undo;
/// use polycloud_core::{ErrorKind, ResourceRef};
///
/// let mut undo = Undo::new();
/// undo.push(ResourceRef::new("security group", "sg-1"), async { Ok(()) });
/// undo.push(ResourceRef::new("disk", "d-1"), async { Err(ErrorKind::PermissionDenied.into()) });
/// let error = undo.run(ErrorKind::NoCapacity.into()).await;
/// assert_eq!(error.kind(), ErrorKind::NoCapacity);
/// assert_eq!(error.leaked(), [ResourceRef::new("disk", "d-1")]);
/// # }
/// ```
#[derive(Default)]
pub struct Undo {
    steps: Vec<(ResourceRef, BoxFuture<'static, Result<()>>)>,
}

impl Undo {
    /// Nothing was made yet.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Notes a resource and what removes it, which is not polled before [`run`](Self::run).
    ///
    /// Removing what is not there has to succeed, and success has to mean that it is gone: a removal that
    /// the provider has merely accepted has to be verified. Failures that pass are repeated by the removal
    /// itself.
    pub fn push(
        &mut self,
        resource: ResourceRef,
        remove: impl Future<Output = Result<()>> + Send + 'static,
    ) {
        self.steps.push((resource, remove.boxed()));
    }

    /// Forgets a resource that is gone, or that is not to be taken back any more.
    pub fn forget(&mut self, resource: &ResourceRef) {
        self.steps.retain(|(noted, _)| noted != resource);
    }

    /// What is noted, in the order in which it was made.
    pub fn resources(&self) -> impl Iterator<Item = &ResourceRef> {
        self.steps.iter().map(|(resource, _)| resource)
    }

    /// Leaves everything as it is: all is well.
    pub fn keep(self) {}

    /// Removes everything, what was made last first, and goes on where a removal fails.
    ///
    /// The error comes back with what could not be removed in [`leaked`](Error::leaked), and with an
    /// outcome that says so: `Applied` if something is left for sure, `Unknown` if it may be left, because
    /// it is the answers to the removals that were lost, and not `Applied` if nothing is left.
    pub async fn run(self, error: Error) -> Error {
        let (mut left, mut outcome) = (Vec::new(), Outcome::Unknown);
        for (resource, remove) in self.steps.into_iter().rev() {
            if let Err(failure) = remove.await {
                tracing::warn!(%resource, %failure, "could not be taken back");
                left.push(resource);
                if failure.outcome() != Outcome::Unknown {
                    outcome = Outcome::Applied;
                }
            }
        }
        if !left.is_empty() {
            return error.with_leaked(left).with_outcome(outcome);
        }
        if error.outcome() == Outcome::Applied {
            return error.with_outcome(Outcome::NotApplied);
        }
        error
    }
}

impl fmt::Debug for Undo {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.resources()).finish()
    }
}

#[cfg(test)]
mod tests {
    use std::sync::{Arc, Mutex};

    use super::*;
    use crate::error::ErrorKind;

    type Log = Arc<Mutex<Vec<&'static str>>>;

    /// An undo of a group, whose removal ends as told, and of a key.
    fn undo(group: Result<()>) -> (Undo, Log) {
        let (mut undo, log) = (Undo::new(), Log::default());
        for (name, result) in [("group", group), ("key", Ok(()))] {
            let log = Arc::clone(&log);
            undo.push(ResourceRef::new(name, "1"), async move {
                log.lock().unwrap().push(name);
                result
            });
        }
        (undo, log)
    }

    #[tokio::test]
    async fn the_last_is_removed_first() {
        let (undo, log) = undo(Ok(()));
        let applied = Error::new(ErrorKind::NoCapacity).with_outcome(Outcome::Applied);
        let error = undo.run(applied).await;
        assert_eq!((error.kind(), error.outcome()), (ErrorKind::NoCapacity, Outcome::NotApplied));
        assert!(error.leaked().is_empty());
        assert_eq!(*log.lock().unwrap(), ["key", "group"]);
    }

    #[tokio::test]
    async fn what_is_left_is_named() {
        let (undo, log) = undo(Err(ErrorKind::PermissionDenied.into()));
        let error = undo.run(ErrorKind::NoCapacity.into()).await;
        assert_eq!((error.kind(), error.outcome()), (ErrorKind::NoCapacity, Outcome::Applied));
        assert_eq!(error.leaked(), [ResourceRef::new("group", "1")]);
        assert_eq!(*log.lock().unwrap(), ["key", "group"]);
    }

    #[tokio::test]
    async fn what_may_be_gone_is_named_too() {
        let (undo, _) = undo(Err(ErrorKind::Timeout.into()));
        let error = undo.run(ErrorKind::NoCapacity.into()).await;
        assert_eq!((error.kind(), error.outcome()), (ErrorKind::NoCapacity, Outcome::Unknown));
        assert_eq!(error.leaked(), [ResourceRef::new("group", "1")]);
    }

    #[tokio::test]
    async fn what_is_kept_or_forgotten_is_not_touched() {
        let (kept, log) = undo(Ok(()));
        kept.keep();
        assert_eq!(log.lock().unwrap().len(), 0);
        let (mut partly, log) = undo(Ok(()));
        partly.forget(&ResourceRef::new("key", "1"));
        let unknown = Error::new(ErrorKind::Timeout).with_outcome(Outcome::Unknown);
        assert_eq!(partly.run(unknown).await.outcome(), Outcome::Unknown);
        assert_eq!(*log.lock().unwrap(), ["group"]);
    }
}
