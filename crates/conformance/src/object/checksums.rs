//! Checksums that are computed, expected, stored and verified.

use polycloud_core::ErrorKind;
use polycloud_core::checksum::{Checksum, ChecksumAlgorithm};
use polycloud_core::object::{ChecksumRequest, GetOptions, PutOptions, UploadOptions, Verify};

use super::kit::{Store, content, copy, head, holds, is_absent, key, put, upload};
use crate::case::{CaseResult, cases, ensure_eq};
use crate::expect::expect_kind;

const TEXT: &str = "The quick brown fox jumps over the lazy dog";

fn with(request: ChecksumRequest) -> PutOptions {
    PutOptions::default().with_checksum(request)
}

/// Fails unless a checksum that is asked for is returned by put and head.
async fn computes(store: &Store, algorithm: ChecksumAlgorithm) -> CaseResult {
    for content in ["", "x", TEXT] {
        let options = with(ChecksumRequest::Compute(algorithm));
        let result = store.put(&key("k")?, content.into(), &options).await?;
        let expected = Some(algorithm.of(content.as_bytes()));
        ensure_eq!(result.checksums.get(algorithm), expected, "of the put");
        ensure_eq!(head(store, "k").await?.checksums.get(algorithm), expected, "of the head");
    }
    Ok(())
}

/// Fails unless content with the expected checksum is written, and the checksum kept.
async fn accepts(store: &Store, algorithm: ChecksumAlgorithm) -> CaseResult {
    let right = algorithm.of(TEXT.as_bytes());
    let options = with(ChecksumRequest::Expect(right));
    store.put(&key("put")?, TEXT.into(), &options).await?;
    upload(store, "upload", [TEXT.into()], &UploadOptions::from(options)).await?;
    for name in ["put", "upload"] {
        holds(store, name, TEXT).await?;
        let kept = head(store, name).await?.checksums.get(algorithm);
        ensure_eq!(kept, Some(right), "the checksum of {name}");
    }
    Ok(())
}

/// Fails unless content with another checksum is refused, and what was there stays.
async fn refuses(store: &Store, algorithm: ChecksumAlgorithm) -> CaseResult {
    put(store, "old", "old").await?;
    let options = with(ChecksumRequest::Expect(algorithm.of(b"something else")));
    for name in ["old", "new"] {
        let result = store.put(&key(name)?, TEXT.into(), &options).await;
        let error = expect_kind(result, ErrorKind::ChecksumMismatch)?;
        ensure_eq!(error.outcome(), polycloud_core::Outcome::NotApplied);
        let result = upload(store, name, [TEXT.into()], &options.clone().into()).await;
        expect_kind(result, ErrorKind::ChecksumMismatch)?;
    }
    holds(store, "old", "old").await?;
    is_absent(store, "new").await
}

/// Reads an object and tells what it was verified by.
async fn verified_by(
    store: &Store,
    options: &GetOptions,
) -> polycloud_core::Result<Option<Checksum>> {
    let got = store.get(&key("k")?, options).await?;
    let checksum = got.verified_by;
    got.bytes().await.map(|_| checksum)
}

cases! {
    Store, "checksums";

    /// CRC-32C is computed and stored on demand.
    #[needs(Crc32c)]
    async fn crc32c_computed(context: Context) -> CaseResult {
        computes(&*context.store().await?, ChecksumAlgorithm::Crc32c).await
    }

    /// CRC-64/NVME is computed and stored on demand.
    #[needs(Crc64Nvme)]
    async fn crc64nvme_computed(context: Context) -> CaseResult {
        computes(&*context.store().await?, ChecksumAlgorithm::Crc64Nvme).await
    }

    /// MD5 is computed and stored on demand.
    #[needs(Md5)]
    async fn md5_computed(context: Context) -> CaseResult {
        computes(&*context.store().await?, ChecksumAlgorithm::Md5).await
    }

    /// SHA-256 is computed and stored on demand.
    #[needs(Sha256)]
    async fn sha256_computed(context: Context) -> CaseResult {
        computes(&*context.store().await?, ChecksumAlgorithm::Sha256).await
    }

    /// Content with the expected CRC-32C is written.
    #[needs(Crc32c)]
    async fn crc32c_right(context: Context) -> CaseResult {
        accepts(&*context.store().await?, ChecksumAlgorithm::Crc32c).await
    }

    /// Content with the expected CRC-64/NVME is written.
    #[needs(Crc64Nvme)]
    async fn crc64nvme_right(context: Context) -> CaseResult {
        accepts(&*context.store().await?, ChecksumAlgorithm::Crc64Nvme).await
    }

    /// Content with the expected MD5 is written.
    #[needs(Md5)]
    async fn md5_right(context: Context) -> CaseResult {
        accepts(&*context.store().await?, ChecksumAlgorithm::Md5).await
    }

    /// Content with the expected SHA-256 is written.
    #[needs(Sha256)]
    async fn sha256_right(context: Context) -> CaseResult {
        accepts(&*context.store().await?, ChecksumAlgorithm::Sha256).await
    }

    /// Content with another CRC-32C than expected is refused, and the old object stays.
    #[needs(Crc32c)]
    async fn crc32c_wrong(context: Context) -> CaseResult {
        refuses(&*context.store().await?, ChecksumAlgorithm::Crc32c).await
    }

    /// Content with another CRC-64/NVME than expected is refused, and the old object stays.
    #[needs(Crc64Nvme)]
    async fn crc64nvme_wrong(context: Context) -> CaseResult {
        refuses(&*context.store().await?, ChecksumAlgorithm::Crc64Nvme).await
    }

    /// Content with another MD5 than expected is refused, and the old object stays.
    #[needs(Md5)]
    async fn md5_wrong(context: Context) -> CaseResult {
        refuses(&*context.store().await?, ChecksumAlgorithm::Md5).await
    }

    /// Content with another SHA-256 than expected is refused, and the old object stays.
    #[needs(Sha256)]
    async fn sha256_wrong(context: Context) -> CaseResult {
        refuses(&*context.store().await?, ChecksumAlgorithm::Sha256).await
    }

    /// A full read is verified against a checksum of the content that is stored, and says by which.
    #[needs(Crc32c)]
    async fn full_read_is_verified(context: Context) -> CaseResult {
        let (store, bytes) = (context.store().await?, content(300_000));
        let options = with(ChecksumRequest::Compute(ChecksumAlgorithm::Crc32c));
        store.put(&key("k")?, bytes.clone().into(), &options).await?;
        let by = verified_by(&*store, &GetOptions::default()).await?;
        ensure_eq!(by, by.map(|it| it.algorithm().of(&bytes)), "what the read was verified by");
        ensure_eq!(by.is_some(), true, "the read was verified");
        Ok(())
    }

    /// A read is not verified if it is told not to be.
    #[needs(Crc32c)]
    async fn verification_can_be_left_out(context: Context) -> CaseResult {
        let store = context.store().await?;
        let options = with(ChecksumRequest::Compute(ChecksumAlgorithm::Crc32c));
        store.put(&key("k")?, TEXT.into(), &options).await?;
        let by = verified_by(&*store, &GetOptions::default().with_verify(Verify::Never)).await?;
        ensure_eq!(by, None);
        Ok(())
    }

    /// Whatever checksums an answer shows are those of the content.
    async fn shown_checksums_are_right(context: Context) -> CaseResult {
        let store = context.store().await?;
        let put = store.put(&key("k")?, TEXT.into(), &with(ChecksumRequest::Auto)).await?;
        let seen = head(&*store, "k").await?;
        let got = store.get(&key("k")?, &GetOptions::default()).await?;
        for checksum in
            put.checksums.iter().chain(seen.checksums.iter()).chain(got.meta.checksums.iter())
        {
            ensure_eq!(checksum, checksum.algorithm().of(TEXT.as_bytes()));
        }
        Ok(())
    }

    /// An object can be written without any checksum.
    async fn none(context: Context) -> CaseResult {
        let store = context.store().await?;
        store.put(&key("k")?, TEXT.into(), &with(ChecksumRequest::None)).await?;
        holds(&*store, "k", TEXT).await
    }

    /// An overwrite does not keep the checksum of the old content.
    #[needs(Sha256)]
    async fn overwrite_drops(context: Context) -> CaseResult {
        let (store, algorithm) = (context.store().await?, ChecksumAlgorithm::Sha256);
        store.put(&key("k")?, TEXT.into(), &with(ChecksumRequest::Compute(algorithm))).await?;
        put(&*store, "k", "other").await?;
        let kept = head(&*store, "k").await?.checksums.get(algorithm);
        ensure_eq!(kept, kept.map(|_| algorithm.of(b"other")), "what is left of the checksum");
        holds(&*store, "k", "other").await
    }

    /// The checksum of content that comes in many pieces is that of the whole.
    #[needs(Crc32c)]
    async fn of_pieces(context: Context) -> CaseResult {
        let (store, algorithm) = (context.store().await?, ChecksumAlgorithm::Crc32c);
        let whole = content(100_000);
        let pieces: Vec<_> =
            (0..100).map(|number| whole.slice(number * 1_000..(number + 1) * 1_000)).collect();
        let options = with(ChecksumRequest::Expect(algorithm.of(&whole)));
        upload(&*store, "k", pieces, &options.into()).await?;
        ensure_eq!(head(&*store, "k").await?.checksums.get(algorithm), Some(algorithm.of(&whole)));
        holds(&*store, "k", whole).await
    }

    /// A copy is read and verified like its source.
    #[needs(Crc32c)]
    async fn of_a_copy(context: Context) -> CaseResult {
        let store = context.store().await?;
        let options = with(ChecksumRequest::Compute(ChecksumAlgorithm::Crc32c));
        store.put(&key("from")?, TEXT.into(), &options).await?;
        copy(&*store, "from", "k").await?;
        if let Some(by) = verified_by(&*store, &GetOptions::default()).await? {
            ensure_eq!(by, by.algorithm().of(TEXT.as_bytes()));
        }
        Ok(())
    }
}
