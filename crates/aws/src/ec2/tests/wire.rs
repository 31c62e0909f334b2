use polycloud_core::{ErrorKind, Outcome, Retry};
use polycloud_wire::client::SendErrorKind;
use serde_json::json;

use super::super::sdk::JsonService;
use super::*;

#[tokio::test]
async fn requests_are_signed_for_their_service() {
    let (compute, script) = region([described(&[]), answer(200, "{\"Parameter\":{}}")]).await;
    compute.0.find(Vec::new()).await.unwrap();
    let body = json!({ "Name": "/aws/x" });
    compute.0.caller.json(JsonService::Ssm, "AmazonSSM.GetParameter", body).await.unwrap();
    let asked = script.asked();
    assert_eq!(asked[0].url, "https://ec2.eu-west-1.amazonaws.com/");
    assert_eq!(asked[0].action(), "DescribeInstances");
    assert!(asked[0].signature.contains("/eu-west-1/ec2/aws4_request"), "{asked:?}");
    assert_eq!(asked[1].url, "https://ssm.eu-west-1.amazonaws.com/");
    assert_eq!(asked[1].target, "AmazonSSM.GetParameter");
    assert_eq!(asked[1].body, "{\"Name\":\"/aws/x\"}");
    assert!(asked[1].signature.contains("/eu-west-1/ssm/aws4_request"), "{asked:?}");
}

#[tokio::test(start_paused = true)]
async fn the_wire_tries_again_and_nobody_else() {
    let throttled = || refused(503, "RequestLimitExceeded");
    let (compute, script) =
        patient(3, [throttled(), refused(500, "InternalError"), described(&[])]).await;
    compute.0.find(Vec::new()).await.unwrap();
    assert_eq!(script.actions().len(), 3);
    let (compute, script) = patient(2, [throttled(), throttled()]).await;
    let error = compute.0.find(Vec::new()).await.unwrap_err();
    assert_eq!((error.kind(), error.retry()), (ErrorKind::RateLimited, Retry::Exhausted));
    assert_eq!((error.provider(), script.actions().len()), ("aws", 2));
}

#[tokio::test(start_paused = true)]
async fn no_capacity_is_told_at_once() {
    let (compute, script) = patient(5, [refused(500, "InsufficientInstanceCapacity")]).await;
    let error = compute.0.start(&id()).await.unwrap_err();
    assert_eq!((error.kind(), error.outcome()), (ErrorKind::NoCapacity, Outcome::NotApplied));
    assert_eq!((error.status(), script.actions().len()), (Some(500), 1));
}

#[tokio::test(start_paused = true)]
async fn what_is_lost_is_told_with_its_outcome() {
    let (compute, _) = patient(2, [lost(), lost()]).await;
    let error = compute.0.start(&id()).await.unwrap_err();
    assert_eq!((error.kind(), error.outcome()), (ErrorKind::Unavailable, Outcome::Unknown));
    let (compute, _) = patient(2, [lost(), lost()]).await;
    let error = compute.0.describe("i-1").await.unwrap_err();
    assert_eq!(error.outcome(), Outcome::NotApplied);
    let (compute, _) = region([Err(SendError::new(SendErrorKind::Stalled))]).await;
    assert_eq!(compute.0.start(&id()).await.unwrap_err().kind(), ErrorKind::Timeout);
}

#[tokio::test]
async fn answers_that_make_no_sense_are_errors() {
    for body in ["", "no XML", "<DescribeInstancesResponse><reservationSet>", "{}"] {
        let (compute, _) = region([answer(200, body)]).await;
        let error = compute.0.find(Vec::new()).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::InvalidResponse, "{body}: {error:?}");
    }
    let (compute, _) = region([described(&["<item/>".to_owned()])]).await;
    let error = compute.0.list(&Default::default(), None).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::InvalidResponse);
}
