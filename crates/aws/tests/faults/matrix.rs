//! Each fault in each request of each operation, once and again and again.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use polycloud_aws::S3Store;
use polycloud_core::{Error, ErrorKind, Outcome};
use polycloud_emulator::{Fault, RecordedRequest, Rule, StallAt};

use crate::lab::{DEADLINE, Lab, on_paused_time};
use crate::operation::{ALL, Op, Stage, State, fill, tell};

const HOUR: Duration = Duration::from_secs(3600);

/// How often a fault happens.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Times {
    Once,
    /// To every request of this kind.
    Always,
    /// To every request from this one on.
    Everything,
}

/// A fault and its row in the matrix of faults.
#[derive(Debug, Clone)]
struct Row {
    number: u32,
    fault: Fault,
}

fn status(status: u16, code: &str) -> Fault {
    Fault::Status { status, code: code.to_owned(), retry_after: None }
}

fn after_effect(status: u16, code: &str) -> Fault {
    Fault::ErrorAfterEffect { status, code: code.to_owned() }
}

fn in_200(code: &str, after_effect: bool) -> Fault {
    Fault::ErrorIn200 { code: code.to_owned(), after_effect }
}

fn stall(at: StallAt, duration: Duration) -> Fault {
    Fault::Stall { at, duration }
}

fn rows() -> Vec<Row> {
    let in_body = |after_bytes| StallAt::InBody { after_bytes };
    let rows = [
        (3, Fault::RefuseConnection),
        (4, Fault::ResetDuringBody { after_bytes: 0 }),
        (4, Fault::ResetDuringBody { after_bytes: 30 }),
        (5, Fault::ResetBeforeRead),
        (5, Fault::ResetBeforeResponse),
        (5, Fault::ResetAfterEffect),
        (6, Fault::ResetDuringResponse { after_bytes: 0 }),
        (6, Fault::ResetDuringResponse { after_bytes: 25 }),
        (7, Fault::TruncateBody { after_bytes: 0 }),
        (7, Fault::TruncateBody { after_bytes: 25 }),
        (8, stall(in_body(7), HOUR)),
        (9, Fault::RangeIgnored),
        (9, Fault::WrongContentRange),
        // The effect of the first attempt comes behind that of the second: row 45.
        (10, stall(StallAt::BeforeEffect, HOUR)),
        (10, stall(StallAt::BeforeHeaders, HOUR)),
        (10, stall(in_body(0), HOUR)),
        (10, stall(StallAt::BeforeHeaders, Duration::from_secs(10))),
        (11, status(503, "SlowDown")),
        (11, status(503, "ServiceUnavailable")),
        (11, status(429, "TooManyRequests")),
        (13, status(500, "InternalError")),
        (13, after_effect(500, "InternalError")),
        (13, after_effect(502, "BadGateway")),
        (13, after_effect(504, "GatewayTimeout")),
        (13, after_effect(408, "RequestTimeout")),
        (14, in_200("InternalError", false)),
        (14, in_200("InternalError", true)),
        (14, in_200("SlowDown", false)),
        (15, status(409, "ConditionalRequestConflict")),
        (15, status(409, "OperationAborted")),
        (17, Fault::ExpiredToken),
        (19, Fault::SkewedClock { seconds: 1200 }),
        (19, Fault::SkewedClock { seconds: -86_400 }),
        (20, Fault::WrongChecksum),
        (21, status(400, "BadDigest")),
        (23, Fault::RepeatedToken),
        (25, Fault::PageCut),
    ];
    rows.map(|(number, fault)| Row { number, fault }).into()
}

/// A request of an operation, as it is without faults.
#[derive(Debug, Clone)]
struct Request {
    operation: String,
    /// Which one of its kind.
    nth: u64,
    /// Which one of all.
    place: u64,
    sends: bool,
    receives: bool,
    ranged: bool,
    paged: bool,
}

impl Request {
    fn all(journal: &[RecordedRequest]) -> Vec<Self> {
        let mut counts: BTreeMap<&str, u64> = BTreeMap::new();
        let each = journal.iter().zip(1..).map(|(request, place)| {
            let nth = counts.entry(&request.operation).or_default();
            *nth += 1;
            let tokens = ["continuation-token", "key-marker"];
            Self {
                operation: request.operation.clone(),
                nth: *nth,
                place,
                sends: request.bytes_in > 0,
                receives: request.bytes_out > 0,
                ranged: request.header("range").is_some(),
                paged: request.query_names.iter().any(|name| tokens.contains(&name.as_str())),
            }
        });
        each.collect()
    }

    fn changes(&self) -> bool {
        !["Get", "Head", "List"].iter().any(|verb| self.operation.starts_with(verb))
    }

    /// Whether S3 may answer 200 before it knows what comes of it.
    fn answers_early(&self) -> bool {
        let early = ["CompleteMultipartUpload", "CopyObject", "UploadPartCopy", "DeleteObjects"];
        early.contains(&self.operation.as_str())
    }

    /// Whether the fault can happen to it.
    fn can(&self, fault: &Fault) -> bool {
        let reads = self.operation == "GetObject";
        match fault {
            Fault::RefuseConnection => self.place == 1,
            Fault::ResetDuringBody { .. } => self.sends,
            Fault::ResetDuringResponse { .. }
            | Fault::TruncateBody { .. }
            | Fault::Stall { at: StallAt::InBody { .. }, .. } => self.receives,
            Fault::RangeIgnored | Fault::WrongContentRange => reads && self.ranged,
            Fault::WrongChecksum => reads && !self.ranged,
            Fault::RepeatedToken => self.paged,
            Fault::PageCut => self.operation.starts_with("List"),
            Fault::ErrorIn200 { .. } => self.answers_early(),
            Fault::Status { status: 409, .. } => self.changes(),
            Fault::Status { status: 400, .. } => {
                matches!(self.operation.as_str(), "PutObject" | "UploadPart")
            }
            _ => true,
        }
    }

    fn rule(&self, fault: &Fault, times: Times) -> Rule {
        let rule = Rule::new(fault.clone());
        // The first page has no token that could be repeated, and does not count.
        let nth = if *fault == Fault::RepeatedToken { self.nth - 1 } else { self.nth };
        match (fault, times) {
            (Fault::RefuseConnection, Times::Once) => rule,
            (Fault::RefuseConnection, _) => rule.always(),
            (_, Times::Once) => rule.operation(&self.operation).nth(nth),
            (_, Times::Always) => rule.operation(&self.operation).nth(nth).always(),
            (_, Times::Everything) => rule.nth(self.place).always(),
        }
    }
}

/// Whether the server says by it that nothing was done.
fn is_before_effect(fault: &Fault) -> bool {
    match fault {
        Fault::Status { status, .. } => *status != 500,
        Fault::ExpiredToken | Fault::SkewedClock { .. } => true,
        _ => false,
    }
}

/// Whether the answer is lost while the effect is there.
fn loses_the_answer(fault: &Fault) -> bool {
    matches!(
        fault,
        Fault::ResetAfterEffect
            | Fault::ErrorAfterEffect { .. }
            | Fault::ErrorIn200 { after_effect: true, .. }
            | Fault::ResetDuringResponse { .. }
            | Fault::TruncateBody { .. }
    ) || matches!(fault, Fault::Stall { at, duration }
        if *duration == HOUR && *at != StallAt::BeforeEffect)
}

/// What can be wrong for the caller, given the fault.
fn kinds(fault: &Fault, operation: &str) -> &'static [ErrorKind] {
    use ErrorKind::*;
    match fault {
        // A head has no words.
        Fault::ExpiredToken | Fault::SkewedClock { .. } if operation == "HeadObject" => {
            &[Unauthenticated, PermissionDenied, InvalidArgument]
        }
        Fault::ExpiredToken | Fault::SkewedClock { .. } => &[Unauthenticated],
        Fault::Stall { .. } => &[Timeout, Unavailable],
        Fault::Status { status: 429 | 503, .. } => &[RateLimited, Unavailable],
        Fault::Status { status: 409, .. } => &[Conflict],
        Fault::Status { status: 400, .. } | Fault::WrongChecksum => &[ChecksumMismatch],
        Fault::ErrorIn200 { .. } => &[Unavailable, RateLimited],
        Fault::ErrorAfterEffect { status: 408, .. } => &[Timeout, Unavailable],
        Fault::RangeIgnored | Fault::WrongContentRange | Fault::RepeatedToken | Fault::PageCut => {
            &[InvalidResponse]
        }
        _ => &[Unavailable],
    }
}

/// Whether a single fault is more than can be got over.
fn fails_once(op: Op, request: &Request, fault: &Fault) -> bool {
    // That it was deleted, or copied, proves nothing: anybody may have done so.
    let unmarked = matches!(
        (op, request.operation.as_str()),
        (Op::DeleteIfMatch, "DeleteObject") | (Op::CopyIfAbsent, "CopyObject")
    );
    match fault {
        _ if unmarked && loses_the_answer(fault) => true,
        // Other servers have the right time, so that the one that is learned is wrong.
        Fault::SkewedClock { .. } => true,
        Fault::RangeIgnored => op == Op::GetRange,
        Fault::WrongContentRange
        | Fault::WrongChecksum
        | Fault::RepeatedToken
        | Fault::PageCut
        | Fault::Status { status: 400, .. } => true,
        _ => false,
    }
}

/// Whether a fault that does not end can be got over.
fn can_succeed(fault: &Fault, request: &Request) -> bool {
    match fault {
        // It is learned.
        Fault::SkewedClock { .. } => true,
        // Each time, a little arrives; and 10 seconds are no reason to worry.
        Fault::ResetDuringResponse { after_bytes }
        | Fault::TruncateBody { after_bytes }
        | Fault::Stall { at: StallAt::InBody { after_bytes }, .. } => {
            *after_bytes > 0 && request.operation == "GetObject"
                || loses_the_answer(fault) && request.changes()
        }
        Fault::Stall { duration, .. } if *duration < HOUR => true,
        Fault::RangeIgnored => true,
        // What is there tells.
        _ => loses_the_answer(fault) && request.changes(),
    }
}

struct Cell<'a> {
    op: Op,
    request: &'a Request,
    row: &'a Row,
    times: Times,
}

impl Cell<'_> {
    /// Plays it. Returns what is wrong.
    async fn play(&self, lab: &Lab, clean: &S3Store, name: usize) -> Option<String> {
        let stage = Stage::set(self.op, lab, clean, name).await;
        let store = lab.store(name as u64).await;
        let before = lab.emulator.faults().fired().len();
        lab.emulator.faults().script([self.request.rule(&self.row.fault, self.times)]);
        let result = tokio::time::timeout(DEADLINE, stage.perform(&store)).await;
        lab.emulator.faults().clear();
        let fired = lab.emulator.faults().fired().len() - before;
        let at_once = stage.state(lab).await;
        // Late effects do not change what was reported.
        lab.settle().await;
        let state = stage.state(lab).await;
        let Ok(result) = result else { return Some("it does not end".into()) };
        if fired == 0 {
            return Some("the fault did not happen".into());
        }
        let left = stage.left_behind(lab).await.len();
        let wrong = match &result {
            Ok(Err(wrong)) => Some(format!("a success with {wrong}")),
            Ok(Ok(())) => self.succeeded(&at_once).or_else(|| self.succeeded(&state)),
            Err(error) => self.failed(error, &state),
        };
        wrong.or_else(|| self.leftovers(&result.map(drop), left, fired))
    }

    fn succeeded(&self, state: &State) -> Option<String> {
        let expected = if self.op.is_read() { State::Old } else { State::New };
        if *state != expected {
            return Some(format!("a success that leaves {state:?}"));
        }
        let allowed = match self.times {
            Times::Once => {
                !fails_once(self.op, self.request, &self.row.fault)
                    || matches!(self.row.fault, Fault::SkewedClock { .. })
            }
            _ => can_succeed(&self.row.fault, self.request),
        };
        (!allowed).then(|| "a success against all odds".into())
    }

    fn failed(&self, error: &Error, state: &State) -> Option<String> {
        let fault = &self.row.fault;
        let told = tell(error);
        if let State::Other(found) = state {
            return Some(format!("{told} leaves {found}"));
        }
        if self.times == Times::Once && !fails_once(self.op, self.request, fault) {
            return Some(format!("not got over: {told}"));
        }
        let late = matches!(fault, Fault::Stall { .. });
        let honest = match (error.outcome(), state) {
            (Outcome::NotApplied, State::New) => false,
            (Outcome::Applied, State::Old) => false,
            (Outcome::Unknown, _) if self.op.is_read() => false,
            (Outcome::Unknown, State::Old) => late || !is_before_effect(fault),
            _ => true,
        };
        if !honest {
            return Some(format!("it is {state:?}, but {told}"));
        }
        let unmarked = error.kind() == ErrorKind::Unavailable && loses_the_answer(fault);
        let kinds = kinds(fault, &self.request.operation);
        let kind = kinds.contains(&error.kind()) || unmarked;
        (!kind).then(|| format!("the wrong kind: {told}"))
    }

    /// An upload is left behind if it is named, or if nobody heard of it.
    fn leftovers(&self, result: &Result<(), Error>, left: usize, fired: usize) -> Option<String> {
        if self.op == Op::CreateUpload {
            return None;
        }
        let named = result.as_ref().err().map_or(0, |error| error.leaked().len());
        let unheard = if self.request.operation == "CreateMultipartUpload"
            || self.times == Times::Everything
        {
            fired
        } else {
            0
        };
        let unheard = if is_before_effect(&self.row.fault) { 0 } else { unheard };
        (left > named + unheard).then(|| format!("{left} uploads are left behind: {result:?}"))
    }
}

/// What the table is expected to hold: whether a row is about an operation at all.
fn concerns(row: &Row, op: Op) -> bool {
    let sends = matches!(
        op,
        Op::Put
            | Op::PutStream
            | Op::PutIfAbsent
            | Op::PutIfUnchanged
            | Op::UploadSmall
            | Op::UploadParts
            | Op::UploadPartsIfAbsent
            | Op::PutPart
    );
    let sends_words =
        matches!(op, Op::DeleteMany | Op::UpdateTags | Op::Complete | Op::CompleteIfAbsent);
    let early = matches!(
        op,
        Op::Copy
            | Op::CopyIfAbsent
            | Op::UpdateAttributes
            | Op::CopyPart
            | Op::DeleteMany
            | Op::Complete
            | Op::CompleteIfAbsent
            | Op::UploadParts
            | Op::UploadPartsIfAbsent
    );
    let silent = matches!(
        op,
        Op::Head
            | Op::Put
            | Op::PutStream
            | Op::PutIfAbsent
            | Op::PutIfUnchanged
            | Op::UploadSmall
            | Op::Delete
            | Op::DeleteIfMatch
            | Op::PutPart
            | Op::Abort
    );
    match &row.fault {
        Fault::ResetDuringBody { .. } => sends || sends_words,
        Fault::ResetDuringResponse { .. }
        | Fault::TruncateBody { .. }
        | Fault::Stall { at: StallAt::InBody { .. }, .. } => !silent,
        Fault::RangeIgnored | Fault::WrongContentRange => matches!(op, Op::GetRange | Op::GetTail),
        Fault::WrongChecksum => op == Op::Get,
        Fault::RepeatedToken => matches!(op, Op::List | Op::ListVersions),
        Fault::PageCut => {
            matches!(op, Op::List | Op::ListVersions | Op::ListParts | Op::ListUploads)
        }
        Fault::ErrorIn200 { .. } => early,
        Fault::Status { status: 409, .. } => !op.is_read(),
        Fault::Status { status: 400, .. } => sends,
        _ => true,
    }
}

/// Plays all cells of an operation. Returns how many of each row there are, and what is wrong.
async fn play_all(op: Op, rows: &[Row]) -> (BTreeMap<u32, usize>, Vec<String>) {
    let lab = Lab::new();
    let clean = lab.store(0).await;
    fill(&clean).await;
    let stage = Stage::set(op, &lab, &clean, 0).await;
    lab.emulator.journal().clear();
    let result = stage.perform(&lab.store(1).await).await;
    assert!(matches!(result, Ok(Ok(()))), "{op:?}: {result:?}");
    let requests = Request::all(&lab.emulator.journal().requests());
    let (mut counts, mut wrong, mut name) = (BTreeMap::new(), Vec::new(), 0);
    for row in rows {
        let mut concerned = false;
        for request in requests.iter().filter(|request| request.can(&row.fault)) {
            concerned = true;
            for times in [Times::Once, Times::Always, Times::Everything] {
                let broad = matches!(row.fault, Fault::ResetBeforeRead | Fault::ExpiredToken)
                    || row.fault == status(503, "SlowDown");
                if times == Times::Everything && !(broad && op.is_whole_upload()) {
                    continue;
                }
                name += 1;
                let cell = Cell { op, request, row, times };
                if let Some(why) = cell.play(&lab, &clean, name).await {
                    let Request { operation, nth, .. } = request;
                    let (number, fault) = (row.number, &row.fault);
                    wrong.push(format!(
                        "{op:?}, {operation} {nth}, row {number}, {fault:?}, {times:?}: {why}"
                    ));
                }
                *counts.entry(row.number).or_default() += 1;
            }
        }
        if concerned != concerns(row, op) {
            wrong.push(format!("{op:?}: is it concerned by {row:?}? {concerned}"));
        }
    }
    (counts, wrong)
}

/// `FAULT_OP=Put` plays the cells of one operation only.
#[allow(clippy::disallowed_methods, reason = "the length of the run is a setting of the test")]
fn operations() -> Vec<Op> {
    let wanted = std::env::var("FAULT_OP").ok();
    let all = ALL.into_iter();
    all.filter(|op| wanted.as_ref().is_none_or(|wanted| *wanted == format!("{op:?}"))).collect()
}

#[test]
fn matrix() {
    let (rows, operations) = (rows(), operations());
    let next = AtomicUsize::new(0);
    let all = Mutex::new((BTreeMap::new(), BTreeSet::new()));
    std::thread::scope(|scope| {
        for _ in 0..2 {
            scope.spawn(|| {
                while let Some(op) = operations.get(next.fetch_add(1, Ordering::Relaxed)) {
                    let (counts, wrong) = on_paused_time(play_all(*op, &rows));
                    let mut all = all.lock().unwrap();
                    all.0.insert(*op, counts);
                    all.1.extend(wrong);
                }
            });
        }
    });
    let (counts, wrong) = all.into_inner().unwrap();
    let mut cells = 0;
    for (op, counts) in &counts {
        println!("{op:?}: {counts:?}");
        cells += counts.values().sum::<usize>();
    }
    println!("{cells} cells");
    assert!(cells > 0 && counts.len() == operations.len());
    wrong.iter().for_each(|wrong| println!("{wrong}"));
    assert!(wrong.is_empty(), "{} of {cells} cells are wrong", wrong.len());
}
