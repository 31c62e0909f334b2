//! The suite on a plain store, which passes it, and on plain stores with one fault each, which do not.

use std::collections::BTreeSet;

use polycloud_conformance::{Outcome, Report, Selection, Subject, cases, run};
use polycloud_core::capability::Feature;

use crate::plain::{CAPABILITIES, Fault, Plain};

async fn report(fault: Option<Fault>, names: &[&str]) -> Report {
    run(Plain::harness(fault, None), &selection(names)).await
}

fn selection(names: &[&str]) -> Selection {
    names.iter().fold(Selection::default(), |selection, name| selection.with_name(*name))
}

#[test]
fn names_and_sentences_are_in_order() {
    let mut names = BTreeSet::new();
    for case in cases() {
        assert!(names.insert(case.name), "{} is there twice", case.name);
        assert_eq!(case.name.split_once('/').map(|(area, _)| area), Some(case.area));
        let sentence = case.sentence;
        assert!(sentence.ends_with('.') && sentence.len() > 10, "{}: {sentence:?}", case.name);
        assert!(!sentence.contains("  "), "{}: {sentence:?}", case.name);
    }
}

#[test]
fn there_are_as_many_cases_as_promised() {
    let count = |subject| cases().filter(|case| case.subject == subject).count();
    assert!(count(Subject::Store) + count(Subject::Buckets) >= 150);
    assert!(count(Subject::Compute) >= 60);
}

#[test]
fn every_feature_is_shown_by_a_case() {
    let named: BTreeSet<_> = cases().flat_map(|case| case.features).copied().collect();
    let missing: Vec<_> = Feature::ALL.iter().filter(|it| !named.contains(it)).collect();
    assert!(missing.is_empty(), "{missing:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_correct_store_passes() {
    let report = report(None, &[]).await;
    assert!(report.is_success(), "{report}");
    assert!(report.rows.len() > 300, "{report}");
    assert_eq!(report.outcome("errors/signed_urls"), Some(&Outcome::Unsupported));
    assert_eq!(report.outcome("put_get/round_trip"), Some(&Outcome::Passed));
}

/// Every fault, and a case that has to notice it.
const NOTICED: &[(Fault, &str)] = &[
    (Fault::IfAbsentIgnored, "conditions_write/if_absent_taken"),
    (Fault::IfUnchangedIgnored, "conditions_write/if_unchanged_stale"),
    (Fault::DeleteConditionIgnored, "conditions_write/delete_if_match_other"),
    (Fault::UploadDecidesEarly, "conditions_write/upload_decides_at_its_end"),
    (Fault::SwapNotAtomic, "races/swap_by_put"),
    (Fault::RangeOffByOne, "range/middle"),
    (Fault::RangeBehindEndIsEmpty, "range/start_behind_the_object"),
    (Fault::DeletedStaysListed, "put_get/delete_removes"),
    (Fault::KeysTrimmed, "keys/spaces"),
    (Fault::SlashesCollapsed, "keys/slashes"),
    (Fault::KeysFolded, "keys/case_pairs"),
    (Fault::PageSkipsOne, "list/everything"),
    (Fault::PageRepeatsOne, "list/everything"),
    (Fault::PageByPosition, "list/changes_while_paging"),
    (Fault::PrefixBySegment, "list/partial_prefix"),
    (Fault::GroupsRepeated, "list/group_once"),
    (Fault::Unordered, "list/byte_order"),
    (Fault::MetadataSurvives, "attributes/overwrite_drops"),
    (Fault::CopyDropsTags, "copy/keeps_tags"),
    (Fault::UpdateDropsAttributes, "update/tags_only"),
    (Fault::ChecksumUnchecked, "checksums/sha256_wrong"),
    (Fault::UploadVisibleEarly, "upload/invisible_until_complete"),
    (Fault::DropCompletes, "upload/dropped"),
    (Fault::PartsInOrderOfArrival, "multipart/sent_out_of_order"),
    (Fault::UploadLivesOn, "multipart/unknown_after_complete"),
    (Fault::OutcomesSorted, "delete_many/order_of_outcomes"),
    (Fault::DeleteMissingFails, "put_get/delete_missing"),
    (Fault::SourceCutShort, "payload/lying_source"),
    (Fault::TornWrites, "races/readers_during_overwrites"),
    (Fault::VersionsUndead, "versions/"),
    (Fault::DeleteTakesVersions, "versions/"),
    (Fault::EtagConstant, "put_get/etag_changes"),
];

#[tokio::test(flavor = "multi_thread")]
async fn every_fault_is_noticed() {
    for (fault, case) in NOTICED {
        let report = report(Some(*fault), &[case]).await;
        assert!(!report.rows.is_empty(), "{fault:?}: there is no case {case}");
        assert!(report.failures().next().is_some(), "{fault:?} passes {case}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_not_there_has_to_be_refused() {
    for feature in Feature::ALL.iter().filter(|feature| CAPABILITIES.has(**feature)) {
        let cases = cases().filter(|case| case.features.contains(feature));
        let selection = selection(&cases.map(|case| case.name).collect::<Vec<_>>());
        let honest = run(Plain::harness(None, Some(*feature)), &selection).await;
        let mut rows = honest.rows.iter().filter(|row| row.case.features.contains(feature));
        let refused = rows.all(|row| row.outcome == Outcome::Unsupported);
        assert!(refused && honest.is_success(), "without {feature}: {honest}");
        let careless = Plain::harness(Some(Fault::NotRefused), Some(*feature));
        let careless = run(careless, &selection).await;
        assert!(careless.failures().next().is_some(), "{feature} is not refused, and it passes");
    }
}
