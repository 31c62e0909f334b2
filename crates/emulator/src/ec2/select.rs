//! Which resources of a kind a request reads.

use std::collections::BTreeMap;

use super::call::Call;
use super::error::{Ec2Error, Result};
use super::state::Region;

/// The resources with these ids, all of which have to be there; without ids those that listings show.
///
/// A listing does not show at once what was created; a resource that is named is found at once.
pub(super) fn select<'a, T>(
    region: &Region,
    call: &Call<'_>,
    all: &'a BTreeMap<String, T>,
    ids: &[&str],
    missing: impl Fn(&str) -> Ec2Error,
) -> Result<Vec<&'a T>> {
    if ids.is_empty() {
        let seen = all.iter().filter(|(id, _)| region.sees(id, call));
        return Ok(seen.map(|(_, resource)| resource).collect());
    }
    let mut found = BTreeMap::new();
    for id in ids {
        found.insert(*id, all.get(*id).ok_or_else(|| missing(id))?);
    }
    Ok(found.into_values().collect())
}

/// Refuses a size of pages along with ids.
pub(super) fn ids_or_pages(call: &Call<'_>, name: &str) -> Result<()> {
    if !call.params.list(name).is_empty() && call.params.text("MaxResults").is_some() {
        let message = format!("The parameter {name} cannot be used with the parameter MaxResults");
        return Err(Ec2Error::combination(message));
    }
    Ok(())
}

/// `true` or `false`, as filters compare it.
pub(super) fn truth(value: bool) -> Vec<String> {
    vec![value.to_string()]
}

/// What filters compare if there is a value.
pub(super) fn maybe(value: Option<impl ToString>) -> Vec<String> {
    value.map(|value| value.to_string()).into_iter().collect()
}

#[cfg(test)]
pub(super) mod testing {
    use super::*;
    use crate::ec2::call::testing::TestCall;

    pub(in crate::ec2) fn region() -> Region {
        Region::new("us-east-1", "111122223333")
    }

    /// A request with these parameters, so many seconds after the beginning.
    pub(in crate::ec2) fn ask(
        region: &mut Region,
        action: &str,
        at: u64,
        pairs: &[(&str, &str)],
    ) -> Result<String> {
        let mut test = TestCall::new(action).at(at);
        for (name, value) in pairs {
            test = test.with(name, value);
        }
        test.run(region).map(|xml| xml.to_string())
    }

    /// The code of a refusal.
    pub(in crate::ec2) fn code(answer: Result<String>) -> String {
        answer.unwrap_err().code.into_owned()
    }

    /// The text of the first element of this name.
    pub(in crate::ec2) fn text<'a>(xml: &'a str, name: &str) -> &'a str {
        let (open, close) = (format!("<{name}>"), format!("</{name}>"));
        let (_, rest) = xml.split_once(&open).unwrap_or_else(|| panic!("{name} in {xml}"));
        rest.split_once(&close).unwrap().0
    }

    /// The id of an instance in a zone, launched at the beginning: it runs after 12 seconds.
    pub(in crate::ec2) fn instance(region: &mut Region, zone: &str) -> String {
        let name = "/aws/service/debian/release/12/latest/amd64";
        let image = crate::ec2::ssm::resolve(region, name).unwrap().id.clone();
        let pairs = [
            ("ImageId", image.as_str()),
            ("InstanceType", "t3.micro"),
            ("MinCount", "1"),
            ("MaxCount", "1"),
            ("Placement.AvailabilityZone", zone),
        ];
        text(&ask(region, "RunInstances", 0, &pairs).unwrap(), "instanceId").to_owned()
    }

    /// Checks that each filter shows one resource for its first pattern and none for the second; `element` is
    /// once in each resource.
    pub(in crate::ec2) fn check_filters(
        region: &mut Region,
        action: &str,
        at: u64,
        element: &str,
        filters: &[(&str, &str, &str)],
    ) {
        for (field, yes, no) in filters {
            for (pattern, count) in [(yes, 1), (no, 0)] {
                let pairs = [("Filter.1.Name", *field), ("Filter.1.Value.1", *pattern)];
                let xml = ask(region, action, at, &pairs).unwrap();
                let found = xml.matches(&format!("<{element}>")).count();
                assert_eq!(found, count, "{action} {field}={pattern}: {xml}");
            }
        }
        let unknown = [("Filter.1.Name", "colour"), ("Filter.1.Value.1", "red")];
        assert_eq!(code(ask(region, action, at, &unknown)), "InvalidParameterValue");
    }
}
