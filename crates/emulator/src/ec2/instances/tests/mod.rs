//! Instances on a clock that is moved by hand.

mod attributes;
mod launches;
mod lifecycle;
mod listings;
mod spot;

use crate::ec2::call::testing::TestCall;
use crate::ec2::state::Region;

const TYPE: &str = "t3.micro";

fn region() -> Region {
    Region::new("us-east-1", "111122223333")
}

/// A public image for the type.
fn image(region: &Region, architecture: &str) -> String {
    let mut images = region.images.values();
    let found = images.find(|image| image.architecture == architecture);
    found.unwrap().id.clone()
}

/// A request for so many instances.
fn run(region: &Region, count: usize) -> TestCall {
    TestCall::new("RunInstances")
        .with("ImageId", &image(region, "x86_64"))
        .with("InstanceType", TYPE)
        .with("MinCount", &count.to_string())
        .with("MaxCount", &count.to_string())
}

/// A request for one instance that is seen at once.
fn of(action: &str, id: &str) -> TestCall {
    TestCall::new(action).with("InstanceId.1", id)
}

fn ok(region: &mut Region, call: &TestCall) -> String {
    call.run(region).unwrap().to_string()
}

fn code(region: &mut Region, call: &TestCall) -> String {
    call.run(region).unwrap_err().code.into_owned()
}

/// The texts of all elements of a name.
fn all(document: &str, name: &str) -> Vec<String> {
    let (open, close) = (format!("<{name}>"), format!("</{name}>"));
    let parts = document.split(&open).skip(1);
    parts.map(|part| part.split(&close).next().unwrap().to_owned()).collect()
}

fn one(document: &str, name: &str) -> String {
    all(document, name).into_iter().next().unwrap_or_default()
}

/// Runs one instance and tells its id.
fn launched(region: &mut Region) -> String {
    let call = run(region, 1);
    one(&ok(region, &call), "instanceId")
}

/// Runs one instance, until it runs.
fn running(region: &mut Region) -> String {
    let id = launched(region);
    assert_eq!(state(region, &id, 12), "running");
    id
}

/// The state at a time.
fn state(region: &mut Region, id: &str, seconds: u64) -> String {
    let document = ok(region, &of("DescribeInstances", id).at(seconds));
    one(&one(&document, "instanceState"), "name")
}
