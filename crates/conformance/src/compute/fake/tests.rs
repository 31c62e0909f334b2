//! The cases hold for the fake, and find every flaw of it.

use std::collections::BTreeSet;
use std::sync::Arc;

use polycloud_core::capability::Feature;

use super::{Fake, Flaw};
use crate::case::Case;
use crate::harness::Harness;
use crate::report::{Outcome, Report, Selection, run_cases};

fn cases() -> impl Iterator<Item = &'static Case> {
    crate::compute::AREAS.iter().copied().flatten()
}

async fn report(fake: &Fake, selection: &Selection, cases: Vec<&'static Case>) -> Report {
    let harness: Arc<dyn Harness> = Arc::new(fake.clone());
    run_cases(&harness, cases, selection).await
}

#[tokio::test(flavor = "multi_thread")]
async fn all_cases_hold_and_leave_nothing_behind() {
    let fake = Fake::full(None);
    let report = report(&fake, &Selection::default(), cases().collect()).await;
    assert!(report.is_success(), "{report}");
    for row in &report.rows {
        assert!(matches!(row.outcome, Outcome::Passed | Outcome::Emulated), "{}", row.case.name);
    }
    assert_eq!(fake.left(), [0; 0]);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_not_declared_is_refused() {
    let fake = Fake::bare(None);
    let report = report(&fake, &Selection::default(), cases().collect()).await;
    assert!(report.is_success(), "{report}");
    for row in &report.rows {
        let refused = row.outcome == Outcome::Unsupported;
        assert_eq!(refused, !row.case.features.is_empty(), "{}", row.case.name);
    }
    assert_eq!(fake.left(), [0; 0]);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_not_refused_is_found() {
    let fake = Fake::bare(Some(Flaw::IgnoresCapabilities));
    let needy = cases().filter(|case| !case.features.is_empty()).collect();
    let report = report(&fake, &Selection::default(), needy).await;
    for row in &report.rows {
        assert!(matches!(row.outcome, Outcome::Failed(_)), "{}", row.case.name);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn every_flaw_is_found() {
    let flaws = [
        (Flaw::AcceptsOtherProviders, "id/of_another_provider"),
        (Flaw::BillsWhatIsDeallocated, "stop/deallocate"),
        (Flaw::ChangesAddressAtRestart, "state/restart_gracefully"),
        (Flaw::ConsoleIgnoresPosition, "console/positions"),
        (Flaw::CreatesBeforeItRefuses, "create/unknown_image"),
        (Flaw::DryRunRemoves, "sweep/dry_run"),
        (Flaw::ForgetsPublicAddress, "address/public"),
        (Flaw::ForgetsZone, "location/in_a_zone"),
        (Flaw::IgnoresLimits, "create/too_much_user_data"),
        (Flaw::IgnoresLimits, "labels/too_many"),
        (Flaw::IgnoresMismatch, "token/other_spec"),
        (Flaw::IgnoresOwner, "terminate/of_another_owner"),
        (Flaw::IgnoresToken, "token/repeated"),
        (Flaw::KeepsBelowMin, "many/below_min_removes_all"),
        (Flaw::KeepsNamesForever, "create/name_is_free_again"),
        (Flaw::LabelsMatchAny, "list/by_labels"),
        (Flaw::ListsOneTwice, "list/pages_of_two"),
        (Flaw::ListsTerminated, "list/terminated_is_left_out"),
        (Flaw::LosesLabelsOfOthers, "labels/concurrent_patches"),
        (Flaw::NamesNotUnique, "create/name_is_taken"),
        (Flaw::PicksTheLargest, "hardware/by_need"),
        (Flaw::ResizesWhatRuns, "hardware/resize_while_running"),
        (Flaw::RestartsWhatIsStopped, "state/restart_while_stopped"),
        (Flaw::RunsScriptAtEachBoot, "data/script_runs_once"),
        (Flaw::ShowsSecrets, "data/secrets_are_not_shown"),
        (Flaw::ShowsWrongState, "wait/watch_a_life"),
        (Flaw::StartOfRunningFails, "state/start_while_running"),
        (Flaw::StateFilterIgnored, "list/by_state"),
        (Flaw::StopsWhatIsSuspended, "stop/suspended_only_starts"),
        (Flaw::SuspendForgetsMemory, "stop/suspend_keeps_what_runs"),
        (Flaw::SweepsEverybody, "sweep/leaves_the_rest"),
        (Flaw::TakesAnyPageToken, "list/unknown_token"),
        (Flaw::TerminateOfUnknownFails, "terminate/unknown"),
        (Flaw::TrimsUserData, "data/script_is_not_changed"),
    ];
    let selection = Selection::default().with_timeout(std::time::Duration::from_secs(30));
    for (flaw, name) in flaws {
        let case = cases().filter(|case| case.name == name).collect();
        let report = report(&Fake::full(Some(flaw)), &selection, case).await;
        assert!(matches!(report.outcome(name), Some(Outcome::Failed(_))), "{flaw:?} {report}");
    }
}

#[test]
fn every_feature_of_computes_has_a_case() {
    let needed: BTreeSet<_> = cases().flat_map(|case| case.features).copied().collect();
    let all = Feature::ALL.iter().copied().filter(|feature| feature.is_compute());
    let missing: Vec<_> = all.filter(|feature| !needed.contains(feature)).collect();
    assert_eq!(missing, []);
}

#[test]
fn names_are_unique_and_sentences_end() {
    let mut names = BTreeSet::new();
    for case in cases() {
        assert!(names.insert(case.name), "{}", case.name);
        assert!(case.name.starts_with(case.area), "{}", case.name);
        assert!(case.sentence.ends_with('.'), "{}: {}", case.name, case.sentence);
    }
    assert!(names.len() >= 60);
}
