//! Reading parts of objects.

use polycloud_core::ErrorKind;
use polycloud_core::object::{GetOptions, Range};

use super::kit::{Step, Store, content, is_absent, key, put, read_with};
use crate::case::{CaseResult, cases, ensure, ensure_eq};
use crate::expect::expect_kind;

/// Ten bytes, `0123456789`, that most cases read from.
const DIGITS: &str = "0123456789";

/// Reads a range and fails unless it is this part of the content.
async fn reads(store: &Store, range: Range, expected: &str, at: u64) -> CaseResult {
    let got = store.get(&key("k")?, &GetOptions::default().with_range(range)).await?;
    let end = at + expected.len() as u64;
    if expected.is_empty() {
        ensure!(got.range.is_empty(), "the range of {range} is {:?}", got.range);
    } else {
        ensure_eq!(got.range, at..end, "the range of {range}");
    }
    ensure_eq!(got.bytes().await?, expected, "{range}");
    Ok(())
}

/// Fails unless a range lies behind the end of an object of this size.
async fn is_behind(store: &Store, range: Range, size: u64) -> CaseResult {
    let options = GetOptions::default().with_range(range);
    let result = read_with(store, "k", &options).await;
    let error = expect_kind(result, ErrorKind::RangeNotSatisfiable)?;
    ensure_eq!(error.object_size(), Some(size), "the size that the error tells for {range}");
    Ok(())
}

fn bounded(start: u64, end: u64) -> Step<Range> {
    Ok(Range::bounded(start, end)?)
}

cases! {
    Store, "range";

    /// A range in the middle yields just these bytes.
    async fn middle(context: Context) -> CaseResult {
        let store = context.store().await?;
        put(&*store, "k", DIGITS).await?;
        reads(&*store, bounded(3, 7)?, "3456", 3).await
    }

    /// A range can begin at the first byte and end at the last one.
    async fn first_to_last(context: Context) -> CaseResult {
        let store = context.store().await?;
        put(&*store, "k", DIGITS).await?;
        reads(&*store, bounded(0, 10)?, DIGITS, 0).await?;
        reads(&*store, bounded(0, 9)?, "012345678", 0).await?;
        reads(&*store, bounded(1, 10)?, "123456789", 1).await
    }

    /// A range can be a single byte, anywhere.
    async fn single_bytes(context: Context) -> CaseResult {
        let store = context.store().await?;
        put(&*store, "k", DIGITS).await?;
        for (at, digit) in (0..).zip(DIGITS.split("").filter(|digit| !digit.is_empty())) {
            reads(&*store, bounded(at, at + 1)?, digit, at).await?;
        }
        Ok(())
    }

    /// Adjacent ranges put together are the whole object.
    async fn adjacent_ranges(context: Context) -> CaseResult {
        let (store, whole) = (context.store().await?, content(1_000_003));
        put(&*store, "k", whole.clone()).await?;
        let (mut joined, step) = (Vec::new(), 65_537);
        while (joined.len() as u64) < whole.len() as u64 {
            let at = joined.len() as u64;
            let options = GetOptions::default().with_range(bounded(at, at + step)?);
            joined.extend_from_slice(&read_with(&*store, "k", &options).await?);
        }
        ensure!(joined == whole, "the ranges do not add up to the object");
        Ok(())
    }

    /// The metadata beside a range is that of the whole object.
    async fn metadata_of_the_whole(context: Context) -> CaseResult {
        let store = context.store().await?;
        let written = put(&*store, "k", DIGITS).await?;
        let options = GetOptions::default().with_range(bounded(2, 4)?);
        let got = store.get(&key("k")?, &options).await?;
        ensure_eq!(got.meta.size, 10);
        super::kit::same(&got.meta.revision, &written.revision)
    }

    /// A range that ends behind the object ends with the object.
    async fn end_behind_the_object(context: Context) -> CaseResult {
        let store = context.store().await?;
        put(&*store, "k", DIGITS).await?;
        reads(&*store, bounded(8, 11)?, "89", 8).await?;
        reads(&*store, bounded(0, 1_000)?, DIGITS, 0).await?;
        reads(&*store, bounded(9, u64::MAX)?, "9", 9).await
    }

    /// A range that starts at the end of the object or behind it is not satisfiable, and the error tells
    /// the size.
    async fn start_behind_the_object(context: Context) -> CaseResult {
        let store = context.store().await?;
        put(&*store, "k", DIGITS).await?;
        is_behind(&*store, bounded(10, 11)?, 10).await?;
        is_behind(&*store, bounded(11, 20)?, 10).await?;
        is_behind(&*store, bounded(u64::MAX - 1, u64::MAX)?, 10).await
    }

    /// An offset yields everything from there on.
    async fn offset(context: Context) -> CaseResult {
        let store = context.store().await?;
        put(&*store, "k", DIGITS).await?;
        reads(&*store, Range::from_offset(0), DIGITS, 0).await?;
        reads(&*store, Range::from_offset(4), "456789", 4).await?;
        reads(&*store, Range::from_offset(9), "9", 9).await
    }

    /// An offset at the end of the object or behind it is not satisfiable.
    async fn offset_behind_the_object(context: Context) -> CaseResult {
        let store = context.store().await?;
        put(&*store, "k", DIGITS).await?;
        is_behind(&*store, Range::from_offset(10), 10).await?;
        is_behind(&*store, Range::from_offset(1 << 40), 10).await
    }

    /// A suffix yields the last bytes.
    #[needs(RangeSuffix)]
    async fn suffix(context: Context) -> CaseResult {
        let store = context.store().await?;
        put(&*store, "k", DIGITS).await?;
        reads(&*store, Range::suffix(1), "9", 9).await?;
        reads(&*store, Range::suffix(4), "6789", 6).await?;
        reads(&*store, Range::suffix(10), DIGITS, 0).await
    }

    /// A suffix that is longer than the object yields the whole object.
    #[needs(RangeSuffix)]
    async fn suffix_longer_than_the_object(context: Context) -> CaseResult {
        let store = context.store().await?;
        put(&*store, "k", DIGITS).await?;
        reads(&*store, Range::suffix(11), DIGITS, 0).await?;
        reads(&*store, Range::suffix(u64::MAX), DIGITS, 0).await
    }

    /// A suffix of no bytes yields none.
    #[needs(RangeSuffix)]
    async fn suffix_of_nothing(context: Context) -> CaseResult {
        let store = context.store().await?;
        put(&*store, "k", DIGITS).await?;
        reads(&*store, Range::suffix(0), "", 0).await
    }

    /// An empty range yields no bytes, wherever it lies.
    async fn empty_range(context: Context) -> CaseResult {
        let store = context.store().await?;
        put(&*store, "k", DIGITS).await?;
        for at in [0, 5, 10, 11, u64::MAX] {
            reads(&*store, bounded(at, at)?, "", at).await?;
        }
        Ok(())
    }

    /// An empty range of a missing object is not found all the same.
    async fn empty_range_of_missing(context: Context) -> CaseResult {
        let store = context.store().await?;
        let options = GetOptions::default().with_range(bounded(0, 0)?);
        expect_kind(read_with(&*store, "missing", &options).await, ErrorKind::NotFound)?;
        is_absent(&*store, "missing").await
    }

    /// A range of a missing object is not found, not unsatisfiable.
    async fn range_of_missing(context: Context) -> CaseResult {
        let store = context.store().await?;
        for range in [bounded(0, 1)?, bounded(1 << 30, 1 << 31)?, Range::from_offset(5)] {
            let options = GetOptions::default().with_range(range);
            expect_kind(read_with(&*store, "missing", &options).await, ErrorKind::NotFound)?;
        }
        Ok(())
    }

    /// Everything from the start of an empty object is nothing.
    async fn offset_zero_of_empty_object(context: Context) -> CaseResult {
        let store = context.store().await?;
        put(&*store, "k", "").await?;
        reads(&*store, Range::from_offset(0), "", 0).await
    }

    /// A suffix of an empty object is nothing.
    #[needs(RangeSuffix)]
    async fn suffix_of_empty_object(context: Context) -> CaseResult {
        let store = context.store().await?;
        put(&*store, "k", "").await?;
        reads(&*store, Range::suffix(0), "", 0).await?;
        reads(&*store, Range::suffix(1), "", 0).await?;
        reads(&*store, Range::suffix(100), "", 0).await
    }

    /// An empty range of an empty object is nothing.
    async fn empty_range_of_empty_object(context: Context) -> CaseResult {
        let store = context.store().await?;
        put(&*store, "k", "").await?;
        reads(&*store, bounded(0, 0)?, "", 0).await?;
        reads(&*store, bounded(7, 7)?, "", 7).await
    }

    /// Some bytes of an empty object are not satisfiable.
    async fn bytes_of_empty_object(context: Context) -> CaseResult {
        let store = context.store().await?;
        put(&*store, "k", "").await?;
        is_behind(&*store, bounded(0, 1)?, 0).await?;
        is_behind(&*store, bounded(5, 6)?, 0).await?;
        is_behind(&*store, Range::from_offset(1), 0).await
    }

    /// All kinds of ranges work on an object of one byte.
    async fn ranges_of_one_byte(context: Context) -> CaseResult {
        let store = context.store().await?;
        put(&*store, "k", "x").await?;
        reads(&*store, bounded(0, 1)?, "x", 0).await?;
        reads(&*store, bounded(0, 2)?, "x", 0).await?;
        reads(&*store, Range::from_offset(0), "x", 0).await?;
        reads(&*store, bounded(1, 1)?, "", 1).await?;
        is_behind(&*store, bounded(1, 2)?, 1).await?;
        is_behind(&*store, Range::from_offset(1), 1).await
    }

    /// Ranges across the boundaries of a rope are joined.
    async fn ranges_of_a_rope(context: Context) -> CaseResult {
        let store = context.store().await?;
        let chunks = ["01", "", "234", "5", "6789"].map(bytes::Bytes::from);
        put(&*store, "k", polycloud_core::object::Payload::from_chunks(chunks)).await?;
        for start in 0..10 {
            for end in start + 1..=10 {
                let expected = DIGITS.get(start..end).unwrap_or_default();
                reads(&*store, bounded(start as u64, end as u64)?, expected, start as u64).await?;
            }
        }
        Ok(())
    }

    /// A range is not verified against the checksum of the whole.
    #[needs(Sha256)]
    async fn range_is_not_verified(context: Context) -> CaseResult {
        use polycloud_core::checksum::ChecksumAlgorithm::Sha256;
        use polycloud_core::object::{ChecksumRequest, Payload, PutOptions};
        let store = context.store().await?;
        let options = PutOptions::default().with_checksum(ChecksumRequest::Compute(Sha256));
        store.put(&key("k")?, Payload::from(DIGITS), &options).await?;
        let options = GetOptions::default().with_range(bounded(1, 3)?);
        let got = store.get(&key("k")?, &options).await?;
        ensure_eq!(got.verified_by, None);
        ensure_eq!(got.bytes().await?, "12");
        Ok(())
    }
}
