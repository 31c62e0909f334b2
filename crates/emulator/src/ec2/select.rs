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
