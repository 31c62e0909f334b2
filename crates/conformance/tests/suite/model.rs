//! The model test on a plain store, with which it agrees, and on plain stores with one fault each.

use polycloud_conformance::model::{self, Counterexample};

use crate::plain::{Fault, Plain};

async fn check(fault: Option<Fault>, versioned: bool) -> Result<(), Counterexample> {
    let harness = Plain::harness(fault, None);
    model::check(&harness, versioned, 0..100, 60).await
}

#[tokio::test]
async fn a_correct_store_agrees() {
    check(None, false).await.unwrap();
    check(None, true).await.unwrap();
}

/// Most steps that it takes to show a fault. The sequences have sixty.
const FEW: usize = 6;

/// Faults, and whether it takes versions to notice them.
const NOTICED: &[(Fault, bool)] = &[
    (Fault::IfAbsentIgnored, false),
    (Fault::IfUnchangedIgnored, false),
    (Fault::DeleteConditionIgnored, false),
    (Fault::RangeOffByOne, false),
    (Fault::RangeBehindEndIsEmpty, false),
    (Fault::DeletedStaysListed, false),
    (Fault::KeysTrimmed, false),
    (Fault::SlashesCollapsed, false),
    (Fault::KeysFolded, false),
    (Fault::PageSkipsOne, false),
    (Fault::PageRepeatsOne, false),
    (Fault::PrefixBySegment, false),
    (Fault::GroupsRepeated, false),
    (Fault::MetadataSurvives, false),
    (Fault::CopyDropsTags, false),
    (Fault::UploadVisibleEarly, false),
    (Fault::DeleteMissingFails, false),
    (Fault::EtagConstant, false),
    (Fault::VersionsUndead, true),
    (Fault::DeleteTakesVersions, true),
];

#[tokio::test]
async fn every_fault_is_shown_in_few_steps() {
    for (fault, versioned) in NOTICED {
        let found = check(Some(*fault), *versioned).await;
        let found = found.expect_err(&format!("{fault:?} was not noticed"));
        assert!(found.steps.len() <= FEW, "{fault:?}: {found}");
    }
}

#[tokio::test]
async fn a_counterexample_says_how_to_repeat_it() {
    let found = check(Some(Fault::DeletedStaysListed), false).await.unwrap_err();
    let text = found.to_string();
    let last = text.lines().last().unwrap();
    let (seed, next) = (found.seed, found.seed + 1);
    assert_eq!(last, format!("repeat: model::check(&harness, false, {seed}..{next}, 60)"));
    let harness = Plain::harness(Some(Fault::DeletedStaysListed), None);
    let again = model::check(&harness, found.versioned, seed..next, found.length).await;
    assert_eq!(again.unwrap_err().steps, found.steps);
}
