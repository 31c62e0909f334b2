use crate::capability::Feature;
use crate::error::{Error, ErrorKind, Result};
use crate::object::{GetOptions, GetResult, Key, ObjectStore, Precondition, Range, Revision};

/// Reads a range of one revision, if one is known.
///
/// The store refuses another revision where it can; callers [`check`] the one that is returned.
pub(super) async fn get<S: ObjectStore + ?Sized>(
    store: &S,
    key: &Key,
    range: Range,
    revision: Option<&Revision>,
) -> Result<GetResult> {
    let mut options = GetOptions::default().with_range(range);
    let Some(revision) = revision else {
        return store.get(key, &options).await;
    };
    if store.capabilities().has(Feature::ReadIfMatch) {
        options = options.with_precondition(Precondition::IfUnchanged(revision.clone()));
    }
    store.get(key, &options).await.map_err(|error| match error.kind() {
        // The object was there a moment ago.
        ErrorKind::PreconditionFailed | ErrorKind::NotFound => {
            changed(store, key).with_source(error)
        }
        _ => error,
    })
}

/// Fails unless both revisions are of the same object.
pub(super) fn check<S: ObjectStore + ?Sized>(
    store: &S,
    key: &Key,
    first: &Revision,
    now: &Revision,
) -> Result<()> {
    if first == now || first.is_same(now) {
        return Ok(());
    }
    Err(changed(store, key))
}

fn changed<S: ObjectStore + ?Sized>(store: &S, key: &Key) -> Error {
    Error::new(ErrorKind::ObjectChanged)
        .with_provider(store.info().provider)
        .with_operation("get")
        .with_target(key)
}
