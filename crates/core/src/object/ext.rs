use std::error::Error as StdError;
use std::future::Future;
use std::ops;
use std::path::Path;
use std::sync::Arc;

use bytes::Bytes;
use futures::stream::{BoxStream, Stream, StreamExt, TryStreamExt};

use super::condition::{Precondition, Revision};
use super::key::Key;
use super::meta::{ListEntry, ObjectMeta, PutResult};
use super::options::{
    CopyOptions, CopySource, DeleteOptions, GetOptions, HeadOptions, ListOptions, PutOptions,
};
use super::payload::Payload;
use super::range::Range;
use super::store::ObjectStore;
use crate::capability::Feature;
use crate::error::{ErrorKind, Outcome, Result};
use crate::page::paginate;
use crate::transfer::{self, CoalesceOptions, DeleteSummary, TransferOptions};

/// Conveniences for every [`ObjectStore`], `dyn ObjectStore` included.
///
/// Errors are those of the methods that are called, and what is named at each method here. What holds
/// for cancellation there holds here: a write that is dropped took effect as a whole or not at all.
pub trait ObjectStoreExt: ObjectStore {
    /// Reads a whole object into memory. One request.
    ///
    /// # Errors
    /// As [`get`](ObjectStore::get) and [`Body::next_chunk`](super::Body::next_chunk).
    fn get_bytes(&self, key: &Key) -> impl Future<Output = Result<Bytes>> + Send {
        async move { self.get(key, &GetOptions::default()).await?.bytes().await }
    }

    /// Reads a part of an object into memory. One request; none for an empty range, which yields no
    /// bytes whether or not there is an object.
    ///
    /// # Errors
    /// As [`get_bytes`](Self::get_bytes); `RangeNotSatisfiable` if the range starts behind the end.
    fn get_range(&self, key: &Key, range: Range) -> impl Future<Output = Result<Bytes>> + Send {
        async move {
            if range.is_empty() {
                return Ok(Bytes::new());
            }
            self.get(key, &GetOptions::default().with_range(range)).await?.bytes().await
        }
    }

    /// Reads many ranges of one object, in as few requests as is sensible. See
    /// [`get_ranges_with`](Self::get_ranges_with).
    ///
    /// # Errors
    /// As [`get_ranges_with`](Self::get_ranges_with).
    fn get_ranges(
        &self,
        key: &Key,
        ranges: &[ops::Range<u64>],
    ) -> impl Future<Output = Result<Vec<Bytes>>> + Send {
        async move { self.get_ranges_with(key, ranges, &CoalesceOptions::default()).await }
    }

    /// Reads many ranges of one object, joining those that are close to each other.
    ///
    /// The ranges can overlap and come in any order; the answer has one piece for each, in that order.
    /// Each piece is what [`get_range`](Self::get_range) returns: one that ends behind the object ends
    /// with the object. All of them are of the same revision of the object. Pieces of a joined read
    /// share its memory. As many requests as there are ranges after joining; none if all are empty.
    ///
    /// # Errors
    /// `RangeNotSatisfiable` if one of the ranges starts behind the end; `ObjectChanged` if the object
    /// was replaced meanwhile; `InvalidArgument` if a range ends before it starts.
    fn get_ranges_with(
        &self,
        key: &Key,
        ranges: &[ops::Range<u64>],
        options: &CoalesceOptions,
    ) -> impl Future<Output = Result<Vec<Bytes>>> + Send {
        transfer::get_ranges(self, key, ranges, options)
    }

    /// Whether there is an object. One request.
    ///
    /// # Errors
    /// As [`head`](ObjectStore::head), but for `NotFound`.
    fn exists(&self, key: &Key) -> impl Future<Output = Result<bool>> + Send {
        async move {
            match self.head(key, &HeadOptions::default()).await {
                Ok(_) => Ok(true),
                Err(error) if error.kind() == ErrorKind::NotFound => Ok(false),
                Err(error) => Err(error),
            }
        }
    }

    /// Writes an object without options, or replaces it.
    ///
    /// # Errors
    /// As [`put`](ObjectStore::put).
    fn put_bytes(
        &self,
        key: &Key,
        payload: impl Into<Payload> + Send,
    ) -> impl Future<Output = Result<PutResult>> + Send {
        let payload = payload.into();
        async move { self.put(key, payload, &PutOptions::default()).await }
    }

    /// Writes an object if the key is free. Of several that try at the same time one succeeds.
    ///
    /// # Errors
    /// `AlreadyExists`, and as [`put`](ObjectStore::put). After an error of unknown
    /// [`outcome`](crate::Error::outcome) the object may be the one of this call.
    fn put_if_absent(
        &self,
        key: &Key,
        payload: impl Into<Payload> + Send,
    ) -> impl Future<Output = Result<PutResult>> + Send {
        let payload = payload.into();
        let options = PutOptions::default().with_precondition(Precondition::IfAbsent);
        async move { self.put(key, payload, &options).await }
    }

    /// Replaces an object if it is still the one of this revision. Of several that try at the same time
    /// one succeeds.
    ///
    /// # Errors
    /// `PreconditionFailed`, also if the object is gone: read again, decide again. And as
    /// [`put`](ObjectStore::put).
    fn compare_and_swap(
        &self,
        key: &Key,
        expected: Revision,
        payload: impl Into<Payload> + Send,
    ) -> impl Future<Output = Result<PutResult>> + Send {
        let payload = payload.into();
        let condition = Precondition::IfUnchanged(expected);
        let options = PutOptions::default().with_precondition(condition);
        async move { self.put(key, payload, &options).await }
    }

    /// Copies an object to another name, then deletes it under its old one. Three requests, and those of
    /// a large copy.
    ///
    /// This is **not atomic**: for a moment, or for good if the second step fails, both names exist.
    /// What is at the new name is replaced. A write to the old name that happens meanwhile is not lost
    /// where the store can copy and delete under a condition. Renaming to the same name does nothing.
    ///
    /// # Errors
    /// `NotFound`; `PreconditionFailed` if the object was replaced meanwhile. With
    /// [`Outcome::Applied`] the copy is in place and the object is still there under its old name, too.
    fn rename(&self, from: &Key, to: &Key) -> impl Future<Output = Result<PutResult>> + Send {
        async move {
            let meta = self.head(from, &HeadOptions::default()).await?;
            if from == to {
                return Ok(PutResult::new(meta.revision, meta.size));
            }
            let mut source = CopySource::from(from.clone());
            let mut delete = DeleteOptions::default();
            let unchanged = Precondition::IfUnchanged(meta.revision);
            if self.capabilities().has(Feature::CopySourceCondition) {
                source = source.with_precondition(unchanged.clone());
            }
            if self.capabilities().has(Feature::DeleteIfMatch) {
                delete = delete.with_precondition(unchanged);
            }
            let put = self.copy(&source, to, &CopyOptions::default()).await?;
            match self.delete(from, &delete).await {
                Ok(_) => Ok(put),
                Err(error) => Err(error.with_outcome(Outcome::Applied)),
            }
        }
    }

    /// Lists the objects whose keys begin with a prefix. Asks for the next page when it is needed; see
    /// [`paginate`] for how it fails.
    ///
    /// # Errors
    /// As [`list_page`](ObjectStore::list_page). The stream ends after its first error.
    fn list(&self, prefix: impl Into<String>) -> BoxStream<'_, Result<ObjectMeta>> {
        self.list_with(ListOptions::prefix(prefix))
            .try_filter_map(async |entry| Ok(entry.into_object()))
            .boxed()
    }

    /// Lists objects, common prefixes and versions, as the options say. See [`list`](Self::list).
    ///
    /// # Errors
    /// As [`list_page`](ObjectStore::list_page). The stream ends after its first error.
    fn list_with(&self, options: ListOptions) -> BoxStream<'_, Result<ListEntry>> {
        let options = Arc::new(options);
        paginate(move |token| {
            let options = Arc::clone(&options);
            async move {
                let page = self.list_page(&options, token.as_ref()).await?;
                Ok((page.entries, page.next))
            }
        })
        .boxed()
    }

    /// Deletes every object whose key begins with a prefix. An empty prefix means **all objects** of the
    /// bucket.
    ///
    /// Objects that are written meanwhile may or may not be deleted. On a versioned bucket the older
    /// versions stay. What cannot be deleted does not keep the rest from being deleted and is in the
    /// summary. One request a page of the listing, and one a batch of objects, four at a time.
    ///
    /// # Errors
    /// Those of the listing. Some objects are deleted then, as also after dropping the future: call it
    /// again to go on.
    fn delete_prefix(
        &self,
        prefix: impl Into<String>,
    ) -> impl Future<Output = Result<DeleteSummary>> + Send {
        transfer::delete_prefix(self, prefix.into())
    }

    /// Uploads a file.
    ///
    /// A file of at most one part is sent in one put and read again if that is retried; a larger one is
    /// sent in parts, several at a time. Nothing is visible before all of it is there. Memory is bounded
    /// by part size × (concurrency + 1), and 1 MiB that is being read.
    ///
    /// # Errors
    /// `SourceFailed` if the file cannot be read, is not a regular file, or is written to meanwhile. As
    /// [`put`](ObjectStore::put) and [`Upload::complete`](super::Upload::complete).
    fn upload_file(
        &self,
        path: impl AsRef<Path> + Send,
        key: &Key,
        options: &TransferOptions,
    ) -> impl Future<Output = Result<PutResult>> + Send {
        async move { transfer::upload_file(self, path.as_ref(), key, options).await }
    }

    /// Uploads what a stream yields.
    ///
    /// Content of at most one part is sent in one put, if the store can tell; more is sent in parts,
    /// several at a time. Nothing is visible before the stream has ended and all of it is there. The
    /// stream is asked for the next chunk once there is room: memory is bounded by
    /// part size × (concurrency + 1), and the chunk.
    ///
    /// # Errors
    /// An error of the stream ends the upload: an [`Error`](crate::Error) as it is, any other one as the source of a
    /// `SourceFailed`. And as [`Upload::write`](super::Upload::write) and
    /// [`Upload::complete`](super::Upload::complete).
    fn upload_stream<E: Into<Box<dyn StdError + Send + Sync>> + Send>(
        &self,
        key: &Key,
        chunks: impl Stream<Item = Result<Bytes, E>> + Send,
        options: &TransferOptions,
    ) -> impl Future<Output = Result<PutResult>> + Send {
        transfer::upload_stream(self, key, chunks, None, options)
    }

    /// Downloads an object into a file, and replaces the file if there is one.
    ///
    /// A large object is read in several ranges at a time, all of one revision. The content goes to a
    /// new file in the same directory, which is verified (its size always, and the stored checksum if
    /// there is one), written to the disk if the options say [`durable`](TransferOptions::durable), and
    /// then renamed. Until then the old file is as it was. After an error, or when this future is
    /// dropped, the new file is removed; only a killed process leaves it, by the name
    /// `.polycloud-*.part`. Memory is bounded by concurrency × (1 MiB and the size of a chunk). One
    /// request a part.
    ///
    /// # Errors
    /// As [`get`](ObjectStore::get); `ObjectChanged`; `ChecksumMismatch`; `InvalidResponse` if there is
    /// more or less content than announced; `StorageFull` if the disk is; `Internal` with the cause for
    /// any other trouble with the file; `InvalidArgument` if the path does not name a file.
    fn download_file(
        &self,
        key: &Key,
        path: impl AsRef<Path> + Send,
        options: &TransferOptions,
    ) -> impl Future<Output = Result<ObjectMeta>> + Send {
        async move { transfer::download_file(self, key, path.as_ref(), options).await }
    }

    /// Copies an object to another store, of any provider, through this process.
    ///
    /// HTTP headers, user metadata and tags come along unless the options set them; where the other
    /// store knows the object's checksum algorithm, the content is verified on arrival. The storage
    /// class does not come along. Memory is bounded as in [`upload_stream`](Self::upload_stream). Two
    /// requests to read, and those of an upload.
    ///
    /// Within a store, or between buckets of one provider, use [`copy`](ObjectStore::copy): it does not
    /// move the content through the caller.
    ///
    /// # Errors
    /// Those of [`get`](ObjectStore::get); `ObjectChanged`; `SourceFailed` if there is more or less content
    /// than announced; and those of the other store's [`put`](ObjectStore::put), such as `Unsupported` if
    /// it cannot hold the object's tags.
    fn copy_to(
        &self,
        key: &Key,
        to: &dyn ObjectStore,
        to_key: &Key,
        options: &TransferOptions,
    ) -> impl Future<Output = Result<PutResult>> + Send {
        transfer::copy_to(self, key, to, to_key, options)
    }
}

impl<T: ObjectStore + ?Sized> ObjectStoreExt for T {}

#[cfg(test)]
mod tests;
