//! What the object that is made of parts has, and parts that are made of objects.

use polycloud_core::ErrorKind;
use polycloud_core::checksum::ChecksumAlgorithm;
use polycloud_core::object::{ChecksumRequest, CopySource, Key, PartNumber, PutOptions, Range};

use super::super::kit::{
    content, head_tags, holds, key, metadata, metadata_of, multipart, part, part_size, put, tags,
    tags_of,
};
use super::{complete, start};
use crate::case::{cases, ensure_eq};
use crate::expect::expect_kind;

cases! {
    Store, "multipart";
    /// Attributes and tags of the start are those of the object.
    #[needs(Multipart, Metadata, Tags)]
    async fn attributes(context: Context) -> CaseResult {
        let store = context.store().await?;
        let options = PutOptions::default().with_attributes(metadata(&[("name", "wért")])?);
        let options = options.with_tags(tags(&[("a", "b")])?);
        let upload = multipart(&*store)?.create(&key("k")?, &options).await?;
        let only = part(&*store, "k", &upload, 1, "content").await?;
        complete(&*store, &upload, &[only]).await?;
        let meta = head_tags(&*store, "k").await?;
        ensure_eq!(metadata_of(&meta)?, [("name", "wért")]);
        ensure_eq!(tags_of(&meta)?, [("a", "b")]);
        Ok(())
    }

    /// Parts that do not add up to the expected checksum are refused, and the old object stays.
    #[needs(Multipart, Crc32c)]
    async fn wrong_checksum(context: Context) -> CaseResult {
        let store = context.store().await?;
        put(&*store, "k", "old").await?;
        let wrong = ChecksumAlgorithm::Crc32c.of(b"something else");
        let options = PutOptions::default().with_checksum(ChecksumRequest::Expect(wrong));
        let upload = multipart(&*store)?.create(&key("k")?, &options).await?;
        let only = part(&*store, "k", &upload, 1, "content").await?;
        let result = complete(&*store, &upload, &[only]).await;
        expect_kind(result, ErrorKind::ChecksumMismatch)?;
        holds(&*store, "k", "old").await
    }

    /// Parts that add up to the expected checksum make an object that has it.
    #[needs(Multipart, Crc32c)]
    async fn right_checksum(context: Context) -> CaseResult {
        let (store, algorithm) = (context.store().await?, ChecksumAlgorithm::Crc32c);
        let whole = content(part_size(&*store) + 7);
        let right = ChecksumRequest::Expect(algorithm.of(&whole));
        let options = PutOptions::default().with_checksum(right);
        let upload = multipart(&*store)?.create(&key("k")?, &options).await?;
        let mut parts = Vec::new();
        for (number, chunk) in (1..).zip(whole.chunks(part_size(&*store))) {
            parts.push(part(&*store, "k", &upload, number, whole.slice_ref(chunk)).await?);
        }
        complete(&*store, &upload, &parts).await?;
        let kept = super::super::kit::head(&*store, "k").await?.checksums.get(algorithm);
        ensure_eq!(kept, Some(algorithm.of(&whole)));
        holds(&*store, "k", whole).await
    }

    /// A part can be a copy of an object, or of a range of it.
    #[needs(Multipart, MultipartCopy)]
    async fn copied_parts(context: Context) -> CaseResult {
        let store = context.store().await?;
        let size = part_size(&*store);
        put(&*store, "from", content(size)).await?;
        let (upload, from) = (start(&*store).await?, CopySource::new(key("from")?));
        let side = multipart(&*store)?;
        let (one, two) = (PartNumber::new(1)?, PartNumber::new(2)?);
        let first = side.copy_part(&key("k")?, &upload, one, &from, None).await?;
        ensure_eq!(first.size, size as u64);
        let range = Some(Range::bounded(10, 30)?);
        let second = side.copy_part(&key("k")?, &upload, two, &from, range).await?;
        ensure_eq!(second.size, 20);
        complete(&*store, &upload, &[first, second]).await?;
        holds(&*store, "k", [content(size), content(30).slice(10..)].concat()).await
    }

    /// A part cannot be a copy of a missing object.
    #[needs(Multipart, MultipartCopy)]
    async fn copied_part_of_missing(context: Context) -> CaseResult {
        let store = context.store().await?;
        let (upload, from) = (start(&*store).await?, CopySource::new(Key::new("from")?));
        let number = PartNumber::new(1)?;
        let side = multipart(&*store)?;
        let result = side.copy_part(&key("k")?, &upload, number, &from, None).await;
        expect_kind(result, ErrorKind::NotFound)?;
        ensure_eq!(side.parts(&key("k")?, &upload).await?, []);
        Ok(())
    }

    /// A part cannot be a copy of what lies behind the end of an object.
    #[needs(Multipart, MultipartCopy)]
    async fn copied_part_behind_the_end(context: Context) -> CaseResult {
        let store = context.store().await?;
        put(&*store, "from", "content").await?;
        let (upload, from) = (start(&*store).await?, CopySource::new(key("from")?));
        let (number, range) = (PartNumber::new(1)?, Range::bounded(7, 9)?);
        let side = multipart(&*store)?;
        let result = side.copy_part(&key("k")?, &upload, number, &from, Some(range)).await;
        expect_kind(result, ErrorKind::RangeNotSatisfiable)?;
        Ok(())
    }
}
