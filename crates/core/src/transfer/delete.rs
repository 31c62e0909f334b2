use futures::stream::{self, BoxStream, StreamExt, TryStreamExt};

use crate::error::Result;
use crate::object::{DeleteItem, DeleteOutcome, ListOptions, ObjectStore, ObjectStoreExt};

/// Requests that run at a time.
const CONCURRENCY: usize = 4;

/// What a `delete_prefix` did.
#[derive(Debug, Default)]
#[non_exhaustive]
pub struct DeleteSummary {
    /// Objects that are deleted.
    pub deleted: u64,
    /// Objects that could not be deleted, and why.
    pub failed: Vec<DeleteOutcome>,
}

pub(crate) async fn delete_prefix<S: ObjectStore + ?Sized>(
    store: &S,
    prefix: String,
) -> Result<DeleteSummary> {
    let batch = usize::try_from(store.capabilities().limits.delete_batch).unwrap_or(usize::MAX);
    let mut outcomes: BoxStream<'_, Result<DeleteOutcome>> = store
        .list_with(ListOptions::prefix(prefix))
        .try_filter_map(async |entry| Ok(entry.into_object()))
        .map_ok(|meta| DeleteItem::from(meta.key))
        .try_chunks(batch.max(1))
        .map_err(|error| error.1)
        .map_ok(|items| async { Ok(stream::iter(store.delete_many(items).await).map(Ok)) })
        .try_buffer_unordered(CONCURRENCY)
        .try_flatten()
        .boxed();
    let mut summary = DeleteSummary::default();
    while let Some(outcome) = outcomes.try_next().await? {
        match &outcome.result {
            Ok(result) if result.existed == Some(false) => {}
            Ok(_) => summary.deleted += 1,
            Err(_) => summary.failed.push(outcome),
        }
    }
    Ok(summary)
}
