//! Faults drawn from a seed.

use std::time::Duration;

use super::{Asked, Fault, StallAt};
use crate::journal::Service;

/// How often each fault happens, from 0 (never) to 1, to requests that it can happen to.
///
/// What only S3 can do wrong does not happen to EC2, and an error has the code that the service has for it.
/// If they add up to more than 1, those that come last here happen less often.
#[derive(Debug, Clone, PartialEq)]
#[allow(missing_docs, reason = "each is described at the fault of the same name")]
pub struct FaultRates {
    pub refuse_connection: f64,
    pub reset_before_read: f64,
    pub reset_during_body: f64,
    pub reset_before_response: f64,
    pub reset_after_effect: f64,
    pub reset_during_response: f64,
    pub truncate_body: f64,
    pub stall: f64,
    pub status: f64,
    pub error_after_effect: f64,
    pub error_in_200: f64,
    pub expired_token: f64,
    pub skewed_clock: f64,
    pub repeated_token: f64,
    pub page_cut: f64,
    pub etag_change: f64,
    pub wrong_checksum: f64,
    pub range_ignored: f64,
    pub wrong_content_range: f64,
    /// How long a stall lasts.
    pub stall_for: Duration,
    /// So many faults follow each other at most, then one request goes well; 0: no such limit.
    pub in_a_row: u32,
}

impl FaultRates {
    /// No faults.
    pub const NONE: Self = Self::uniform(0.0);

    /// Every fault at this rate, with stalls of a minute and five faults in a row at most.
    #[must_use]
    pub const fn uniform(rate: f64) -> Self {
        Self {
            refuse_connection: rate,
            reset_before_read: rate,
            reset_during_body: rate,
            reset_before_response: rate,
            reset_after_effect: rate,
            reset_during_response: rate,
            truncate_body: rate,
            stall: rate,
            status: rate,
            error_after_effect: rate,
            error_in_200: rate,
            expired_token: rate,
            skewed_clock: rate,
            repeated_token: rate,
            page_cut: rate,
            etag_change: rate,
            wrong_checksum: rate,
            range_ignored: rate,
            wrong_content_range: rate,
            stall_for: Duration::from_secs(60),
            in_a_row: 5,
        }
    }
}

impl Default for FaultRates {
    fn default() -> Self {
        Self::NONE
    }
}

/// Draws from a seed.
#[derive(Debug)]
pub(super) struct Seeded {
    random: Random,
    rates: FaultRates,
    row: u32,
}

impl Seeded {
    pub(super) fn new(seed: u64, rates: FaultRates) -> Self {
        Self { random: Random(seed), rates, row: 0 }
    }

    pub(super) fn refuses(&mut self) -> bool {
        let refused = self.random.unit() < self.rates.refuse_connection && self.may_fail();
        self.row = if refused { self.row + 1 } else { self.row };
        refused
    }

    pub(super) fn draw(&mut self, asked: &Asked<'_>) -> Option<Fault> {
        if !matches!(asked.service, Service::S3 | Service::Ec2) {
            return None;
        }
        // All that is random is drawn for every request, so that whether one fails does not change what
        // the next ones draw.
        let (unit, mut detail) = (self.random.unit(), Random(self.random.next()));
        let fault = self.pick(unit, &mut detail, asked).filter(|_| self.may_fail());
        let fault = fault.map(|fault| worded(fault, asked.service));
        self.row = if fault.is_some() { self.row + 1 } else { 0 };
        fault
    }

    fn may_fail(&self) -> bool {
        self.rates.in_a_row == 0 || self.row < self.rates.in_a_row
    }

    fn pick(&self, mut unit: f64, random: &mut Random, asked: &Asked<'_>) -> Option<Fault> {
        for (rate, make) in self.table() {
            let fault = make(random, &self.rates);
            if !possible(&fault, asked) {
                continue;
            }
            if unit < rate {
                return Some(fault);
            }
            unit -= rate;
        }
        None
    }

    fn table(&self) -> [(f64, Make); 18] {
        let rates = &self.rates;
        [
            (rates.reset_before_read, |_, _| Fault::ResetBeforeRead),
            (rates.reset_during_body, |random, _| Fault::ResetDuringBody {
                after_bytes: random.length(),
            }),
            (rates.reset_before_response, |_, _| Fault::ResetBeforeResponse),
            (rates.reset_after_effect, |_, _| Fault::ResetAfterEffect),
            (rates.reset_during_response, |random, _| Fault::ResetDuringResponse {
                after_bytes: random.length(),
            }),
            (rates.truncate_body, |random, _| Fault::TruncateBody { after_bytes: random.length() }),
            (rates.stall, stall),
            (rates.status, status),
            (rates.error_after_effect, |random, _| {
                let (status, code) = random.one_of((500, "InternalError"), &AFTER_EFFECT);
                Fault::ErrorAfterEffect { status, code: code.to_owned() }
            }),
            (rates.error_in_200, |random, _| Fault::ErrorIn200 {
                code: random.one_of("InternalError", &["SlowDown"]).to_owned(),
                after_effect: random.below(2) == 0,
            }),
            (rates.expired_token, |_, _| Fault::ExpiredToken),
            (rates.skewed_clock, |random, _| Fault::SkewedClock {
                seconds: random.one_of(-86_400, &[-1200, 1200, 86_400]),
            }),
            (rates.repeated_token, |_, _| Fault::RepeatedToken),
            (rates.page_cut, |_, _| Fault::PageCut),
            (rates.etag_change, |_, _| Fault::EtagChange),
            (rates.wrong_checksum, |_, _| Fault::WrongChecksum),
            (rates.range_ignored, |_, _| Fault::RangeIgnored),
            (rates.wrong_content_range, |_, _| Fault::WrongContentRange),
        ]
    }
}

type Make = fn(&mut Random, &FaultRates) -> Fault;

/// What a service may answer although it did what was asked.
const AFTER_EFFECT: [(u16, &str); 2] = [(502, "BadGateway"), (504, "GatewayTimeout")];

fn status(random: &mut Random, _: &FaultRates) -> Fault {
    let (status, code) = random.one_of(
        (503, "SlowDown"),
        &[(503, "ServiceUnavailable"), (500, "InternalError"), (429, "TooManyRequests")],
    );
    let retry_after = random.one_of(None, &[None, Some("1"), Some("0"), Some("soon")]);
    Fault::Status { status, code: code.to_owned(), retry_after: retry_after.map(str::to_owned) }
}

fn stall(random: &mut Random, rates: &FaultRates) -> Fault {
    let after_bytes = random.length();
    let at = random
        .one_of(StallAt::BeforeEffect, &[StallAt::BeforeHeaders, StallAt::InBody { after_bytes }]);
    Fault::Stall { at, duration: rates.stall_for }
}

/// A fault with the code that the service has for it.
fn worded(fault: Fault, service: Service) -> Fault {
    match fault {
        Fault::Status { status, code, retry_after } if service == Service::Ec2 => {
            let (status, code) = match code.as_str() {
                "SlowDown" | "TooManyRequests" => (503, "RequestLimitExceeded"),
                "ServiceUnavailable" => (503, "Unavailable"),
                _ => (status, "InternalError"),
            };
            Fault::Status { status, code: code.to_owned(), retry_after }
        }
        fault => fault,
    }
}

/// Whether the service itself might fail like this.
fn possible(fault: &Fault, asked: &Asked<'_>) -> bool {
    const LONG: [&str; 4] =
        ["CompleteMultipartUpload", "CopyObject", "UploadPartCopy", "DeleteObjects"];
    let error_in_200 = matches!(fault, Fault::ErrorIn200 { .. });
    fault.applies(asked) && (!error_in_200 || LONG.contains(&asked.operation))
}

/// SplitMix64: every number of 64 bits once, in an order that looks random.
#[derive(Debug)]
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    fn below(&mut self, limit: u64) -> u64 {
        self.next() % limit.max(1)
    }

    /// From 0 on and below 1.
    fn unit(&mut self) -> f64 {
        // 32 bits are exact in a float.
        let high = u32::try_from(self.next() >> 32).unwrap_or(u32::MAX);
        f64::from(high) / (f64::from(u32::MAX) + 1.0)
    }

    /// A length of any magnitude up to 16 MiB.
    fn length(&mut self) -> u64 {
        let magnitude = self.below(25);
        self.below(1 << magnitude)
    }

    fn one_of<T: Copy>(&mut self, first: T, rest: &[T]) -> T {
        let index = self.below(rest.len() as u64 + 1);
        let index = usize::try_from(index).unwrap_or(usize::MAX);
        rest.get(index).copied().unwrap_or(first)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn asked(operation: &str) -> Asked<'_> {
        Asked {
            service: Service::S3,
            operation,
            method: &http::Method::PUT,
            bucket: None,
            key: None,
            has_body: true,
            has_range: false,
            has_token: false,
        }
    }

    fn run(seed: u64, rates: FaultRates, count: usize) -> Vec<Option<Fault>> {
        let mut seeded = Seeded::new(seed, rates);
        (0..count).map(|_| seeded.draw(&asked("CopyObject"))).collect()
    }

    #[test]
    fn equal_seeds_draw_equal_faults() {
        let rates = FaultRates::uniform(0.05);
        assert_eq!(run(7, rates.clone(), 200), run(7, rates.clone(), 200));
        assert_ne!(run(7, rates.clone(), 200), run(8, rates, 200));
    }

    #[test]
    fn rates_are_kept() {
        let rates = FaultRates { reset_after_effect: 0.25, in_a_row: 0, ..FaultRates::NONE };
        let fired = run(1, rates, 10_000).into_iter().flatten().collect::<Vec<_>>();
        assert!((2300..2700).contains(&fired.len()), "{}", fired.len());
        assert!(fired.iter().all(|fault| *fault == Fault::ResetAfterEffect));
        assert_eq!(run(1, FaultRates::NONE, 1000).into_iter().flatten().count(), 0);
    }

    #[test]
    fn not_too_many_in_a_row() {
        let rates = FaultRates { status: 1.0, in_a_row: 2, ..FaultRates::NONE };
        let fired = run(1, rates, 6).into_iter().map(|fault| fault.is_some()).collect::<Vec<_>>();
        assert_eq!(fired, [true, true, false, true, true, false]);
    }

    #[test]
    fn all_kinds_are_drawn() {
        let drawn = run(3, FaultRates::uniform(0.05), 2000).into_iter().flatten();
        let mut kinds = drawn.map(|fault| std::mem::discriminant(&fault)).collect::<Vec<_>>();
        kinds.sort_by_key(|kind| format!("{kind:?}"));
        kinds.dedup();
        // A copy is not a listing and not a read.
        assert_eq!(kinds.len(), 12);
    }
}
