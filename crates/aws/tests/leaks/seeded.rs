//! Schedules by chance: jobs, faults, and when callers go follow from a seed, and nothing but a seed is
//! needed to see one again.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};

use crate::paused::on_paused_time;
use crate::schedule::{Report, Tally, run};

/// Schedules of a usual run.
const SCHEDULES: u64 = 600;

#[allow(clippy::disallowed_methods, reason = "the length of the run is a setting of the test")]
fn setting(name: &str) -> Option<u64> {
    std::env::var(name).ok().map(|text| text.parse().unwrap_or_else(|_| panic!("{name}={text}")))
}

#[test]
fn nothing_leaks() {
    if let Some(seed) = setting("LEAK_SEED") {
        let Report { lines, wrong, tally } = schedule(seed);
        lines.iter().for_each(|line| println!("{line}"));
        wrong.iter().for_each(|wrong| println!("wrong: {wrong}"));
        assert!(wrong.is_empty(), "seed {seed} failed");
        println!("seed {seed} is in order; {tally:?}");
        return;
    }
    let schedules = setting("LEAK_SCHEDULES").unwrap_or(SCHEDULES);
    let next = AtomicU64::new(0);
    let (tally, failures) = (Mutex::new(Tally::default()), Mutex::new(Vec::new()));
    std::thread::scope(|scope| {
        for _ in 0..2 {
            scope.spawn(|| {
                loop {
                    let seed = next.fetch_add(1, Ordering::Relaxed);
                    if seed >= schedules {
                        return;
                    }
                    let report = schedule(seed);
                    tally.lock().unwrap().add(report.tally);
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
            "LEAK_SEED={seed} cargo test -p polycloud-aws --features ec2 --test leaks -- \
             nothing_leaks --nocapture"
        );
    }
    let tally = tally.into_inner().unwrap();
    println!("{schedules} schedules: {tally:?}");
    assert!(failures.is_empty(), "{} of {schedules} schedules failed", failures.len());
    let all = usize::try_from(schedules).unwrap();
    // Otherwise the schedules tell nothing.
    assert!(tally.made > all / 2 && tally.swept > all / 2, "{tally:?}");
    assert!(tally.faults > all && tally.cuts > all / 2 && tally.failed > all / 4, "{tally:?}");
}

#[test]
fn a_seed_is_all_that_it_takes() {
    for seed in [3, 5, 8] {
        assert_eq!(schedule(seed).lines, schedule(seed).lines, "{seed}");
    }
}

/// A panic is a failure of its seed.
fn schedule(seed: u64) -> Report {
    catch_unwind(AssertUnwindSafe(|| on_paused_time(run(seed)))).unwrap_or_else(|panic| {
        let text = panic.downcast_ref::<String>().map(String::as_str);
        let text = text.or_else(|| panic.downcast_ref::<&str>().copied()).unwrap_or("?");
        Report { wrong: vec![format!("panic: {text}")], ..Report::default() }
    })
}
