use crate::capability::Limits;
use crate::object::PartNumber;

/// The part size where nobody asks for another one.
const DEFAULT_PART: u64 = 8 << 20;

/// The largest object where the provider states no limit.
const DEFAULT_OBJECT: u64 = 5 << 40;

/// How large each part of an upload is.
///
/// Parts start at a base size, so that memory is small for the objects that most uploads write, and
/// double after every `stage` parts, so that the provider's number of parts suffices for its largest
/// object. The stages are as long as that allows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct PartSizes {
    base: u64,
    max: u64,
    stage: u64,
    parts: u32,
}

impl PartSizes {
    /// The sizes for content of the expected size, and for more should it come.
    ///
    /// An object of more than about half of parts × largest part is only possible if it is expected:
    /// the small parts at the start are missing in the end.
    pub(super) fn new(limits: &Limits, part_size: Option<u64>, expected: Option<u64>) -> Self {
        let parts = limits.parts.clamp(1, PartNumber::MAX);
        let max = limits.part_max_bytes.unwrap_or(u64::MAX).max(1);
        let base = part_size
            .unwrap_or(DEFAULT_PART)
            .max(expected.unwrap_or(0).div_ceil(parts.into()))
            .max(limits.part_min_bytes)
            .clamp(1, max);
        let object = limits.object_bytes.unwrap_or(DEFAULT_OBJECT);
        let with = |stage: u32| Self { base, max, stage: stage.max(1).into(), parts };
        (1..=64)
            .map(|n| with(parts / n))
            .find(|sizes| sizes.total() >= object)
            .unwrap_or_else(|| with(1))
    }

    /// How many parts there can be.
    pub(super) fn parts(&self) -> u32 {
        self.parts
    }

    /// The size of the first part.
    pub(super) fn base(&self) -> u64 {
        self.base
    }

    /// The size of part `n`, counted from 0.
    pub(super) fn of(&self, n: u32) -> u64 {
        self.in_stage(u64::from(n) / self.stage)
    }

    fn in_stage(&self, stage: u64) -> u64 {
        let factor = u32::try_from(stage).ok().and_then(|stage| 1_u64.checked_shl(stage));
        self.base.saturating_mul(factor.unwrap_or(u64::MAX)).min(self.max)
    }

    /// What all parts hold together.
    fn total(&self) -> u64 {
        let (mut left, mut total) = (u64::from(self.parts), 0_u64);
        for stage in 0.. {
            let size = self.in_stage(stage);
            let count = if size == self.max { left } else { left.min(self.stage) };
            total = total.saturating_add(count.saturating_mul(size));
            left -= count;
            if left == 0 {
                break;
            }
        }
        total
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const MIB: u64 = 1 << 20;
    const GIB: u64 = 1 << 30;
    const TIB: u64 = 1 << 40;

    fn limits(parts: u32, part_min: u64, part_max: Option<u64>, object: Option<u64>) -> Limits {
        Limits {
            parts,
            part_min_bytes: part_min,
            part_max_bytes: part_max,
            object_bytes: object,
            ..Limits::NONE
        }
    }

    fn total(sizes: &PartSizes, parts: u32) -> u64 {
        (0..parts).fold(0, |sum: u64, n| sum.saturating_add(sizes.of(n)))
    }

    #[test]
    fn s3_reaches_five_tebibytes_from_the_smallest_part() {
        let s3 = limits(10_000, 5 * MIB, Some(5 * GIB), Some(5 * TIB));
        for part_size in [Some(1), Some(5 * MIB), None, Some(64 * MIB), Some(GIB)] {
            let sizes = PartSizes::new(&s3, part_size, None);
            assert!(total(&sizes, 10_000) >= 5 * TIB, "{sizes:?}");
            assert_eq!(sizes.of(0), part_size.unwrap_or(DEFAULT_PART).max(5 * MIB));
        }
    }

    #[test]
    fn what_most_uploads_write_has_small_parts() {
        let sizes =
            PartSizes::new(&limits(10_000, 5 * MIB, Some(5 * GIB), Some(5 * TIB)), None, None);
        assert!((0..1_000).all(|n| sizes.of(n) == 8 * MIB), "{sizes:?}");
    }

    #[test]
    fn an_expected_size_needs_no_growth() {
        let azure = limits(50_000, 0, Some(4_000 * MIB), Some(50_000 * 4_000 * MIB));
        for expected in [TIB, 100 * TIB, 50_000 * 4_000 * MIB] {
            let sizes = PartSizes::new(&azure, None, Some(expected));
            assert!(total(&sizes, 50_000) >= expected);
            assert_eq!(sizes.of(0), expected.div_ceil(50_000).max(8 * MIB));
        }
    }

    proptest! {
        #[test]
        fn parts_suffice_for_the_largest_object(
            parts in 1_000_u32..=50_000,
            min in 0_u64..100 * MIB,
            above in 0_u64..6 * GIB,
            share in 1_u64..=50,
            part_size in proptest::option::of(0_u64..GIB),
            expected in proptest::option::of(0_u64..TIB),
        ) {
            let max = min + above.max(1);
            let object = (u64::from(parts) * max).saturating_mul(share) / 100;
            let limits = limits(parts, min, Some(max), Some(object));
            let sizes = PartSizes::new(&limits, part_size, expected);
            prop_assert!(total(&sizes, parts) >= object, "{:?}", sizes);
            prop_assert_eq!(sizes.total(), total(&sizes, parts));
            for n in 1..parts {
                prop_assert!(sizes.of(n) >= sizes.of(n - 1));
            }
            prop_assert!(sizes.of(0) >= min.max(1) && sizes.of(parts - 1) <= max);
        }

        #[test]
        fn any_limits_give_some_size(
            parts: u32, min: u64, max: Option<u64>, object: Option<u64>,
            part_size: Option<u64>, expected: Option<u64>, n: u32,
        ) {
            let sizes = PartSizes::new(&limits(parts, min, max, object), part_size, expected);
            prop_assert!(sizes.of(n) >= 1);
        }
    }
}
