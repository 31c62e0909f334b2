use polycloud_core::object::{
    DeleteItem, DeleteOptions, ListEntry, ListOptions, MultipartStore as _, ObjectStore,
};
use polycloud_core::page::paginate;
use polycloud_core::{ErrorKind, Result};

use crate::S3Store;
use futures::TryStreamExt as _;
use polycloud_core::capability::Feature;

/// Deletes every version, delete marker and unfinished upload of a bucket.
pub(super) async fn empty(store: &S3Store) -> Result<()> {
    abort_uploads(store).await?;
    let versions = store.capabilities().require(Feature::ListVersions).is_ok();
    let options = ListOptions::default().with_versions(versions);
    let mut token = None;
    loop {
        let page = store.list_page(&options, token.as_ref()).await?;
        let items: Vec<DeleteItem> = page.entries.into_iter().filter_map(doomed).collect();
        if !items.is_empty() {
            for outcome in store.delete_many(items).await {
                outcome.result?;
            }
        }
        match page.next {
            // What a token of a listing means does not depend on what is still there.
            Some(next) => token = Some(next),
            None => return Ok(()),
        }
    }
}

fn doomed(entry: ListEntry) -> Option<DeleteItem> {
    let (key, version) = match entry {
        ListEntry::Object(meta) => (meta.key, meta.revision.version),
        ListEntry::DeleteMarker(marker) => (marker.key, Some(marker.version)),
        _ => return None,
    };
    let mut options = DeleteOptions::default();
    if let Some(version) = version {
        options = options.with_version(version);
    }
    Some(DeleteItem::new(key, options))
}

async fn abort_uploads(store: &S3Store) -> Result<()> {
    let pages = paginate(|token| async move {
        let page = store.uploads("", token.as_ref()).await?;
        Ok((page.uploads, page.next))
    });
    let uploads: Vec<_> = pages.try_collect().await?;
    for upload in uploads {
        match store.abort(&upload.key, &upload.id).await {
            // It was completed or aborted by somebody else meanwhile.
            Err(error) if error.kind() != ErrorKind::UploadNotFound => return Err(error),
            _ => {}
        }
    }
    Ok(())
}
