use std::fmt;
use std::ops;

use crate::error::{Error, ErrorKind, Result};

/// Which bytes of an object to read.
///
/// ```
/// use polycloud_core::object::Range;
///
/// assert_eq!(Range::bounded(2, 5)?.resolve(10)?, 2..5);
/// assert_eq!(Range::from_offset(7).resolve(10)?, 7..10);
/// assert_eq!(Range::suffix(3).resolve(10)?, 7..10);
/// # Ok::<(), polycloud_core::Error>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Range(Repr);

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum Repr {
    Bounded(u64, u64),
    From(u64),
    Suffix(u64),
}

impl Range {
    /// Bytes `start..end`. `end` may lie behind the end of the object.
    ///
    /// # Errors
    /// [`InvalidArgument`](ErrorKind::InvalidArgument) if `start` is greater than `end`.
    pub fn bounded(start: u64, end: u64) -> Result<Self> {
        if start > end {
            return Err(Error::invalid(format!(
                "a range must not end before it starts: {start}..{end}"
            )));
        }
        Ok(Self(Repr::Bounded(start, end)))
    }

    /// Everything from `start` on.
    #[must_use]
    pub const fn from_offset(start: u64) -> Self {
        Self(Repr::From(start))
    }

    /// The last `length` bytes, or the whole object if it is shorter.
    #[must_use]
    pub const fn suffix(length: u64) -> Self {
        Self(Repr::Suffix(length))
    }

    /// Whether it asks for the last bytes, whose position only the provider knows.
    #[must_use]
    pub const fn is_suffix(&self) -> bool {
        matches!(self.0, Repr::Suffix(_))
    }

    /// Whether it asks for no bytes at all, whatever the object.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        match self.0 {
            Repr::Bounded(start, end) => start == end,
            Repr::From(_) => false,
            Repr::Suffix(length) => length == 0,
        }
    }

    /// The value of an HTTP `Range` header, or `None` where HTTP cannot say it (no bytes at all).
    #[must_use]
    pub fn header(&self) -> Option<String> {
        if self.is_empty() {
            return None;
        }
        Some(match self.0 {
            // Some servers read offsets as signed numbers; behind those there is no object.
            Repr::Bounded(start, end) if end <= i64::MAX.unsigned_abs() => {
                format!("bytes={start}-{}", end.saturating_sub(1))
            }
            Repr::Bounded(start, _) | Repr::From(start) => format!("bytes={start}-"),
            Repr::Suffix(length) => format!("bytes=-{length}"),
        })
    }

    /// The bytes it means in an object of `size` bytes.
    ///
    /// A range that ends behind the object ends with the object. No bytes of any object is fine, and
    /// so are all bytes of an empty one.
    ///
    /// # Errors
    /// [`RangeNotSatisfiable`](ErrorKind::RangeNotSatisfiable), telling the size, if it starts at or
    /// behind the end.
    pub fn resolve(&self, size: u64) -> Result<ops::Range<u64>> {
        let (start, end) = match self.0 {
            _ if self.is_empty() => return Ok(0..0),
            Repr::Bounded(start, end) => (start, end.min(size)),
            Repr::From(start) => (start, size),
            Repr::Suffix(length) => (size.saturating_sub(length), size),
        };
        let all_of_nothing = size == 0 && start == 0 && !matches!(self.0, Repr::Bounded(..));
        if start < size || all_of_nothing {
            return Ok(start..end);
        }
        Err(Error::new(ErrorKind::RangeNotSatisfiable)
            .with_message(format!("{self} of {size} bytes"))
            .with_object_size(size))
    }
}

impl TryFrom<ops::Range<u64>> for Range {
    type Error = Error;

    fn try_from(range: ops::Range<u64>) -> Result<Self> {
        Self::bounded(range.start, range.end)
    }
}

impl From<ops::RangeFrom<u64>> for Range {
    fn from(range: ops::RangeFrom<u64>) -> Self {
        Self::from_offset(range.start)
    }
}

impl From<ops::RangeFull> for Range {
    fn from(_: ops::RangeFull) -> Self {
        Self::from_offset(0)
    }
}

impl fmt::Display for Range {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            Repr::Bounded(start, end) => write!(f, "bytes {start}..{end}"),
            Repr::From(start) => write!(f, "bytes {start}.."),
            Repr::Suffix(length) => write!(f, "the last {length} bytes"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn the_edges() {
        let size = |range: Range, size| range.resolve(size).map_err(|e| e.object_size());
        assert_eq!(size(Range::bounded(3, 3).unwrap(), 0), Ok(0..0));
        assert_eq!(size(Range::bounded(0, 1).unwrap(), 0), Err(Some(0)));
        assert_eq!(size(Range::from_offset(0), 0), Ok(0..0));
        assert_eq!(size(Range::from_offset(5), 5), Err(Some(5)));
        assert_eq!(size(Range::suffix(5), 0), Ok(0..0));
        assert_eq!(size(Range::suffix(0), 5), Ok(0..0));
        assert_eq!(size(Range::suffix(9), 5), Ok(0..5));
        assert_eq!(size(Range::bounded(2, u64::MAX).unwrap(), 5), Ok(2..5));
        assert!(Range::bounded(1, 0).is_err());
    }

    proptest! {
        #[test]
        fn a_resolved_range_lies_in_the_object(a: u64, b: u64, size: u64) {
            let ranges = [Range::bounded(a.min(b), a.max(b)).unwrap(), Range::from_offset(a), Range::suffix(a)];
            for range in ranges {
                if let Ok(resolved) = range.resolve(size) {
                    prop_assert!(resolved.start <= resolved.end && resolved.end <= size);
                } else {
                    prop_assert!(a.min(b) >= size || a >= size);
                }
            }
        }
    }
}
