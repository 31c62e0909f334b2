//! Schedules by chance: clients, keys, faults and delays follow from a seed, and nothing but a seed is
//! needed to see one again.

use std::collections::HashMap;
use std::fmt::Write as _;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use futures::TryStreamExt as _;
use polycloud_aws::S3Store;
use polycloud_core::clock::{Random, SeededRandom};
use polycloud_core::object::{
    Attributes, GetOptions, HeadOptions, ListEntry, ListOptions, ObjectStore as _,
    ObjectStoreExt as _, PutOptions,
};
use polycloud_core::{ErrorKind, Result};
use polycloud_emulator::{Fault, FaultRates, RecordedRequest, StallAt};

use crate::client::{Client, FIXED, KEYS, World, check_list, fixed, fought};
use crate::history::{Change, End, History, OP, content};
use crate::lab::{BUCKET, Lab, on_paused_time};
use crate::model::{Action, Held, Step, Verdict, When, verdict};

/// Schedules of a usual run.
const SCHEDULES: u64 = 1_000;

/// A late effect comes after the client gave up waiting.
const GIVEN_UP: Duration = Duration::from_secs(20);

#[allow(clippy::disallowed_methods, reason = "the length of the run is a setting of the test")]
fn setting(name: &str) -> Option<u64> {
    std::env::var(name).ok().map(|text| text.parse().unwrap_or_else(|_| panic!("{name}={text}")))
}

#[test]
fn seeded() {
    if let Some(seed) = setting("FAULT_SEED") {
        let Report { lines, wrong, fired } = schedule(seed);
        lines.iter().for_each(|line| println!("{line}"));
        wrong.iter().for_each(|wrong| println!("wrong: {wrong}"));
        assert!(wrong.is_empty(), "seed {seed} failed");
        println!("seed {seed} is in order; {fired} faults");
        return;
    }
    let schedules = setting("FAULT_SCHEDULES").unwrap_or(SCHEDULES);
    let (next, fired) = (AtomicU64::new(0), AtomicU64::new(0));
    let failures = Mutex::new(Vec::new());
    std::thread::scope(|scope| {
        for _ in 0..2 {
            scope.spawn(|| {
                loop {
                    let seed = next.fetch_add(1, Ordering::Relaxed);
                    if seed >= schedules {
                        return;
                    }
                    let report = schedule(seed);
                    fired.fetch_add(report.fired, Ordering::Relaxed);
                    if !report.wrong.is_empty() {
                        failures.lock().unwrap().push((seed, report.wrong));
                    }
                }
            });
        }
    });
    let mut failures = failures.into_inner().unwrap();
    failures.sort_by_key(|(seed, _)| *seed);
    for (seed, wrong) in &failures {
        println!("seed {seed}: {}", wrong.join("\n    "));
        println!(
            "FAULT_SEED={seed} cargo test -p polycloud-aws --test faults -- seeded --nocapture"
        );
    }
    assert!(failures.is_empty(), "{} of {schedules} schedules failed", failures.len());
    let fired = fired.into_inner();
    assert!(fired >= schedules, "only {fired} faults in {schedules} schedules");
}

#[test]
fn a_seed_is_all_that_it_takes() {
    for seed in [3, 5, 8, 13, 21] {
        assert_eq!(schedule(seed).lines, schedule(seed).lines, "{seed}");
    }
}

/// What became of a schedule.
struct Report {
    lines: Vec<String>,
    wrong: Vec<String>,
    fired: u64,
}

/// A panic is a failure of its seed.
fn schedule(seed: u64) -> Report {
    catch_unwind(AssertUnwindSafe(|| on_paused_time(run(seed)))).unwrap_or_else(|panic| {
        let text = panic.downcast_ref::<String>().map(String::as_str);
        let text = text.or_else(|| panic.downcast_ref::<&str>().copied()).unwrap_or("?");
        Report { lines: Vec::new(), wrong: vec![format!("panic: {text}")], fired: 0 }
    })
}

async fn run(seed: u64) -> Report {
    let random: Arc<dyn Random> = Arc::new(SeededRandom::new(seed));
    let lab = Lab::new();
    let versioned = random.below(2) == 0;
    if versioned {
        lab.keep_versions().await;
    }
    let rates = rates(&*random);
    let world = Arc::new(World {
        history: Mutex::new(History::default()),
        clock: Arc::clone(&lab.clock),
        versioned,
        damage: rates.wrong_checksum > 0.0,
    });
    let clean = lab.store(0).await;
    prepare(&clean, &world, &*random).await;
    world.history().line(Duration::ZERO, &format!("versions: {versioned}, {rates:?}"));
    lab.emulator.faults().seeded(random.next_u64(), rates);

    let clients = 2 + random.below(3);
    let operations = 3 + usize::try_from(random.below(6)).unwrap();
    let shared = lab.store(random.next_u64()).await;
    let mut all = Vec::new();
    for n in 1..=clients {
        // Some clients share connections, the retry budget and the clock; some do not.
        let own = random.below(2) == 0;
        let store = if own { lab.store(random.next_u64()).await } else { shared.clone() };
        let chance = Arc::new(SeededRandom::new(random.next_u64()));
        let client = Client::new(usize::try_from(n).unwrap(), store, chance, Arc::clone(&world));
        all.push(client.run(operations));
    }
    futures::future::join_all(all).await;

    lab.emulator.faults().clear();
    lab.settle().await;
    look_at_the_end(&clean, &world).await;
    let uploads = lab.uploads(&clean).await;
    let journal = lab.emulator.journal().requests();
    let mut history = std::mem::take(&mut *world.history());
    for info in &uploads {
        if !is_explained(&history, &journal, &info.key, info.id.as_str(), &uploads) {
            history.wrong.push(format!("an upload is left behind: {info:?}"));
        }
    }
    if versioned {
        check_versions(&clean, &mut history, &journal).await;
    }
    check_histories(&mut history, &journal);
    let faults = lab.emulator.faults().fired();
    for fired in &faults {
        let line = format!("fault {} {} {:?}", fired.request, fired.operation, fired.fault);
        history.lines.push(line);
    }
    Report { lines: history.lines, wrong: history.wrong, fired: faults.len() as u64 }
}

/// Which faults there are, and how many.
fn rates(random: &dyn Random) -> FaultRates {
    let base = [0.003, 0.01, 0.03, 0.06][usize::try_from(random.below(4)).unwrap()];
    let mut rates = FaultRates::uniform(base);
    let each: [&mut f64; 17] = [
        &mut rates.refuse_connection,
        &mut rates.reset_before_read,
        &mut rates.reset_during_body,
        &mut rates.reset_before_response,
        &mut rates.reset_after_effect,
        &mut rates.reset_during_response,
        &mut rates.truncate_body,
        &mut rates.stall,
        &mut rates.status,
        &mut rates.error_after_effect,
        &mut rates.error_in_200,
        &mut rates.expired_token,
        &mut rates.skewed_clock,
        &mut rates.repeated_token,
        &mut rates.page_cut,
        &mut rates.range_ignored,
        &mut rates.wrong_content_range,
    ];
    for rate in each {
        *rate *= [0.0, 1.0, 1.0, 3.0][usize::try_from(random.below(4)).unwrap()];
    }
    // It is another writer, whom nobody knows.
    rates.etag_change = 0.0;
    rates.wrong_checksum = if random.below(4) == 0 { base } else { 0.0 };
    rates.stall_for = Duration::from_secs([5, 60, 600][usize::try_from(random.below(3)).unwrap()]);
    rates.in_a_row = [0, 1, 5][usize::try_from(random.below(3)).unwrap()];
    rates
}

/// Writes what is there at the beginning.
async fn prepare(clean: &S3Store, world: &World, random: &dyn Random) {
    for n in 0..FIXED {
        clean.put(&fixed(n), "fixed".into(), &PutOptions::default()).await.unwrap();
    }
    for k in 0..KEYS {
        if random.below(2) == 0 {
            continue;
        }
        let from = world.history().tick();
        let id = world.history().operation();
        let content = content(id, 300);
        let (tag, _) = world.history().tags.add(&content);
        let mark = Attributes::new().with_metadata(OP, id.to_string()).unwrap();
        let options = PutOptions::default().with_attributes(mark);
        clean.put(&fought(k), content.into(), &options).await.unwrap();
        let mut history = world.history();
        let to = history.tick();
        let held = Held { id, tag: Some(tag) };
        history.changes.push(Change {
            key: k,
            id,
            action: Action::Write { held, when: When::Always },
            from,
            to,
            end: End::Done,
            leaked: Vec::new(),
            parted: false,
        });
    }
}

/// Reads all that is there at the end.
async fn look_at_the_end(clean: &S3Store, world: &World) {
    for k in 0..KEYS {
        let from = world.history().tick();
        let get = clean.get(&fought(k), &GetOptions::default()).await;
        let read = match get {
            Ok(get) => Ok((get.meta.clone(), get.bytes().await.unwrap())),
            Err(error) => Err(error),
        };
        let mut history = world.history();
        let to = history.tick();
        match read {
            Ok((meta, bytes)) => {
                history.saw_object(k, &meta, from, to);
                let tag = history.tags.find(&meta.revision);
                if tag.is_none_or(|tag| *history.tags.content(tag) != bytes) {
                    history.wrong.push(format!("{meta:?} holds {bytes:?}"));
                }
            }
            Err(error) if error.kind() == ErrorKind::NotFound => {
                history.saw(k, Action::SawAbsent, from, to);
            }
            Err(error) => history.wrong.push(format!("at the end: {error:?}")),
        }
    }
    let from = world.history().tick();
    let entries: Result<Vec<_>> = clean.list_with(ListOptions::default()).try_collect().await;
    let mut history = world.history();
    let to = history.tick();
    check_list(&mut history, &entries.unwrap(), false, from, to);
}

fn is_on(request: &RecordedRequest, key: &str) -> bool {
    request.path == format!("/{BUCKET}/{key}")
}

/// Whether its effect came late.
fn is_late(request: &RecordedRequest) -> bool {
    matches!(
        &request.fault,
        Some(Fault::Stall { at: StallAt::BeforeEffect, duration }) if *duration > GIVEN_UP
    )
}

/// Whether its answer was whole and its connection stalled then, so that the next request on it, which
/// nobody knows here, had its effect late.
fn delays_the_next(request: &RecordedRequest) -> bool {
    match &request.fault {
        Some(Fault::Stall { at: StallAt::InBody { after_bytes }, duration }) => {
            *duration > GIVEN_UP && *after_bytes >= request.bytes_out
        }
        _ => false,
    }
}

/// Uploads are left behind if nobody knows of them, or if an error names them.
fn is_explained(
    history: &History,
    journal: &[RecordedRequest],
    key: &str,
    id: &str,
    uploads: &[polycloud_core::object::UploadInfo],
) -> bool {
    let named = |id: &str| {
        history.changes.iter().any(|change| {
            change.parted
                && fought(change.key).as_str() == key
                && (change.end == End::Unknown || change.leaked.iter().any(|it| it.id.contains(id)))
        })
    };
    // Its creation was answered, but the answer was lost.
    let lost = journal.iter().filter(|request| {
        let lossy = !matches!(
            request.fault,
            None | Some(
                Fault::Status { .. }
                    | Fault::ExpiredToken
                    | Fault::SkewedClock { .. }
                    | Fault::ResetBeforeRead
                    | Fault::ResetBeforeResponse
                    | Fault::ResetDuringBody { .. }
            )
        );
        let lossy = lossy || journal.iter().any(delays_the_next);
        request.operation == "CreateMultipartUpload" && is_on(request, key) && lossy
    });
    let left =
        uploads.iter().filter(|info| info.key.as_str() == key && !named(info.id.as_str())).count();
    named(id) || left <= lost.count()
}

/// The requests that carried a mark, and may have written.
fn attempts(journal: &[RecordedRequest], id: u64) -> impl Iterator<Item = &RecordedRequest> {
    let id = id.to_string();
    journal.iter().filter(move |request| {
        matches!(request.operation.as_str(), "PutObject" | "CopyObject")
            && request.header("x-amz-meta-op") == Some(&id)
    })
}

/// All versions there are tell what was applied.
async fn check_versions(clean: &S3Store, history: &mut History, journal: &[RecordedRequest]) {
    let options = ListOptions::prefix("k/").with_versions(true);
    let entries: Vec<_> = clean.list_with(options).try_collect().await.unwrap();
    let mut applied: HashMap<u64, usize> = HashMap::new();
    for entry in entries {
        let ListEntry::Object(meta) = entry else { continue };
        let head = HeadOptions::default().with_version(meta.revision.version.clone().unwrap());
        let meta = clean.head(&meta.key, &head).await.unwrap();
        let attributes = meta.attributes.unwrap();
        let id = attributes.metadata().get(OP).and_then(|id| id.parse().ok());
        *applied.entry(id.unwrap()).or_default() += 1;
    }
    for change in history.changes.iter().filter(|change| change.id > 0) {
        let found = applied.get(&change.id).copied().unwrap_or(0);
        let late = journal.iter().any(delays_the_next) || attempts(journal, change.id).any(is_late);
        let conditional = !matches!(
            change.action,
            Action::Write { when: When::Always, .. } | Action::Touch { .. }
        );
        let wrong = match change.end {
            End::NotApplied => found > 0,
            End::Done | End::Applied => found == 0 || (found > 1 && conditional && !late),
            End::Unknown => found > 1 && conditional && !late,
        };
        if wrong {
            history.wrong.push(format!("applied {found} times: {change:?}"));
        }
    }
}

/// Whether the history of each key can have happened.
fn check_histories(history: &mut History, journal: &[RecordedRequest]) {
    for k in 0..KEYS {
        let mut steps = Vec::new();
        for change in history.changes.iter().filter(|change| change.key == k) {
            add_change(&mut steps, change, journal);
        }
        steps.extend(history.seen.iter().filter(|(key, _)| *key == k).map(|(_, step)| *step));
        steps.sort_by_key(|step| step.from);
        let tags = &history.tags;
        let verdict = verdict(&steps, &|tag| tags.plain(tag));
        if verdict != Verdict::Possible {
            let mut told = format!("{verdict:?}: k/{k}");
            for step in &steps {
                let _ = write!(told, "\n        {step:?}");
            }
            history.wrong.push(told);
        }
    }
}

/// What a change did for sure, and what its attempts may have done beside.
fn add_change(steps: &mut Vec<Step>, change: &Change, journal: &[RecordedRequest]) {
    let Change { action, from, to, .. } = *change;
    let requests: Vec<_> = if change.id > 0 {
        attempts(journal, change.id).collect()
    } else {
        // Nothing tells whose delete it was.
        let on_key = |request: &&RecordedRequest| match request.operation.as_str() {
            "DeleteObject" => is_on(request, &fought(change.key)),
            "DeleteObjects" => true,
            _ => false,
        };
        let faulty = |request: &&RecordedRequest| request.fault.is_some();
        let delayed = journal.iter().any(delays_the_next);
        journal.iter().filter(on_key).filter(|request| delayed || faulty(request)).collect()
    };
    let mut more = match (change.id, requests.len()) {
        (0, faulty) => faulty.min(3),
        (_, all) => all.saturating_sub(1),
    };
    let mut last = to;
    match change.end {
        End::Done | End::Applied => steps.push(Step { action, from, to, certain: true }),
        End::NotApplied => return,
        End::Unknown => (more, last) = ((more + 1).min(3), u64::MAX),
    }
    if journal.iter().any(delays_the_next) || requests.iter().any(|request| is_late(request)) {
        last = u64::MAX;
    }
    for _ in 0..more {
        steps.push(Step { action, from, to: last, certain: false });
    }
}
