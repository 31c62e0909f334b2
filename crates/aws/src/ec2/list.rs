//! Listing instances.

use std::collections::BTreeSet;

use aws_sdk_ec2::types as sdk;
use polycloud_core::compute::{InstanceFilter, InstancePage, InstanceState, Owner};
use polycloud_core::page::PageToken;
use polycloud_core::{Error, Result};

use super::instance::native_state;
use super::{Inner, instance};

/// Fewest instances of a page of EC2.
const LEAST: u32 = 5;
/// Most instances of a page of EC2.
const MOST: u32 = 1_000;

/// Most values of a filter.
const VALUES: usize = 200;

/// States of instances that are not terminated.
pub(super) const LIVING: [&str; 5] = ["pending", "running", "shutting-down", "stopping", "stopped"];

impl Inner {
    /// See [`list_page`](polycloud_core::compute::Compute::list_page).
    pub(super) async fn list(
        &self,
        filter: &InstanceFilter,
        token: Option<&PageToken>,
    ) -> Result<InstancePage> {
        self.capabilities.check(filter)?;
        let mut at = token.map_or_else(|| Ok(Position::default()), Position::parse)?;
        let Some(mut filters) = filters(filter) else { return Ok(InstancePage::default()) };
        let size = filter.page_size.unwrap_or(MOST).clamp(1, MOST);
        let most = usize::try_from(size).unwrap_or(usize::MAX);
        let is_rest = !at.rest.is_empty();
        let request = self.caller.client().describe_instances();
        let request = if is_rest {
            let later = at.rest.split_off(at.rest.len().min(most).min(VALUES));
            filters.push(self::filter("instance-id", std::mem::replace(&mut at.rest, later)));
            request.max_results(i32::try_from(MOST).unwrap_or(i32::MAX))
        } else {
            let request = request.set_next_token(at.page.take());
            request.max_results(i32::try_from(size.max(LEAST)).unwrap_or(i32::MAX))
        };
        let request = request.set_filters(Some(filters));
        let answer = self.caller.call("DescribeInstances", request.send()).await?;
        let mut instances = flatten(answer.reservations);
        if !is_rest {
            at.page = answer.next_token.filter(|token| !token.is_empty());
            let rest = instances.split_off(instances.len().min(most));
            at.rest.extend(rest.into_iter().filter_map(|instance| instance.instance_id));
        }
        let mut fresh = Vec::with_capacity(instances.len());
        for from in &instances {
            fresh.push(self.instance(from)?);
        }
        let next = (!at.rest.is_empty() || at.page.is_some()).then(|| at.token());
        fresh.retain(|instance| filter.matches(instance));
        Ok(InstancePage::new(fresh, next))
    }

    /// All instances that pass filters of EC2.
    pub(super) async fn find(&self, filters: Vec<sdk::Filter>) -> Result<Vec<sdk::Instance>> {
        let mut found = Vec::new();
        let (mut next, mut seen) = (None, BTreeSet::new());
        loop {
            let request = self.caller.client().describe_instances();
            let request = request.set_filters(Some(filters.clone())).set_next_token(next.take());
            let request = request.max_results(i32::try_from(MOST).unwrap_or(i32::MAX));
            let answer = self.caller.call("DescribeInstances", request.send()).await?;
            found.extend(flatten(answer.reservations));
            match next_page(answer.next_token, &mut seen)? {
                Some(token) => next = Some(token),
                None => return Ok(found),
            }
        }
    }
}

/// The token of the next page, unless it was there before, which would make a listing endless.
pub(super) fn next_page(
    token: Option<String>,
    seen: &mut BTreeSet<String>,
) -> Result<Option<String>> {
    match token.filter(|token| !token.is_empty()) {
        Some(token) if !seen.insert(token.clone()) => {
            Err(instance::incomplete("the listing repeats a continuation token"))
        }
        token => Ok(token),
    }
}

/// The instances of reservations.
pub(super) fn flatten(reservations: Option<Vec<sdk::Reservation>>) -> Vec<sdk::Instance> {
    let all = reservations.into_iter().flatten();
    all.flat_map(|reservation| reservation.instances.unwrap_or_default()).collect()
}

/// A filter of EC2 by one of these values, which are taken literally.
pub(super) fn filter<S: AsRef<str>>(
    name: impl Into<String>,
    values: impl IntoIterator<Item = S>,
) -> sdk::Filter {
    let values = values.into_iter().map(|value| literal(value.as_ref())).collect();
    sdk::Filter::builder().name(name).set_values(Some(values)).build()
}

/// A value without wildcards.
fn literal(value: &str) -> String {
    let mut text = String::with_capacity(value.len());
    for char in value.chars() {
        if matches!(char, '*' | '?' | '\\') {
            text.push('\\');
        }
        text.push(char);
    }
    text
}

/// The filter in EC2's terms; `None` if nothing can pass it.
fn filters(filter: &InstanceFilter) -> Option<Vec<sdk::Filter>> {
    let mut all = Vec::new();
    if filter.states.is_empty() {
        all.push(self::filter("instance-state-name", LIVING));
    } else {
        let states = &filter.states;
        let names: BTreeSet<_> = states.iter().filter_map(|state| native_state(*state)).collect();
        let unknown = states.contains(&InstanceState::Unknown);
        match (names.is_empty(), unknown) {
            (_, true) => {}
            (true, false) => return None,
            (false, false) => all.push(self::filter("instance-state-name", names)),
        }
    }
    for (key, value) in filter.labels.iter() {
        all.push(self::filter(format!("tag:{key}"), [value]));
    }
    if let Some(zone) = &filter.zone {
        all.push(self::filter("availability-zone", [zone]));
    }
    if let Some(owner) = &filter.owner {
        all.push(self::filter(format!("tag:{}", Owner::LABEL), [owner.as_str()]));
    }
    Some(all)
}

/// Where a listing goes on: with the rest of a page of EC2's, by their ids, and then with another page. EC2
/// has no pages below five, and a page that is read again is not what it was.
#[derive(Debug, Default, PartialEq, Eq)]
struct Position {
    rest: Vec<String>,
    page: Option<String>,
}

impl Position {
    /// So begin all tokens.
    const MARK: &'static str = "ec2";

    fn parse(token: &PageToken) -> Result<Self> {
        let foreign = || Error::invalid("the token is not from a listing of instances");
        let mut parts = token.as_str().splitn(3, '/');
        let (Some(Self::MARK), Some(rest), Some(page)) = (parts.next(), parts.next(), parts.next())
        else {
            return Err(foreign());
        };
        let legal = |id: &String| {
            id.len() <= 64
                && id.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-')
        };
        let rest: Vec<_> = rest.split(',').filter(|id| !id.is_empty()).map(str::to_owned).collect();
        // A page of EC2 has whole reservations, and may be longer than it was asked to be.
        if rest.len() > 2 * MOST as usize || !rest.iter().all(legal) {
            return Err(foreign());
        }
        if rest.is_empty() && page.is_empty() || page.contains(char::is_whitespace) {
            return Err(foreign());
        }
        Ok(Self { rest, page: Some(page.to_owned()).filter(|page| !page.is_empty()) })
    }

    fn token(&self) -> PageToken {
        let rest = self.rest.join(",");
        let page = self.page.as_deref().unwrap_or_default();
        PageToken::new(format!("{}/{rest}/{page}", Self::MARK))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_position_survives_text() {
        let rest = |ids: &[&str]| ids.iter().map(|id| (*id).to_owned()).collect::<Vec<_>>();
        for position in [
            Position { page: Some("a/b+c==".into()), rest: rest(&[]) },
            Position { page: Some("x".into()), rest: rest(&["i-2", "i-1"]) },
            Position { page: None, rest: rest(&["i-1"]) },
        ] {
            assert_eq!(Position::parse(&position.token()).unwrap(), position);
        }
        for text in ["", "ec2", "ec2/", "ec2//", "ec2//a b", "s3//x", "ec2/I-1/x"] {
            assert!(Position::parse(&PageToken::new(text)).is_err(), "{text}");
        }
    }

    #[test]
    fn filters_are_literal_and_in_the_providers_words() {
        let of = |filter: &InstanceFilter| {
            let all = filters(filter)?;
            let text = |f: &sdk::Filter| format!("{}={}", f.name().unwrap(), f.values().join(","));
            Some(all.iter().map(text).collect::<Vec<_>>())
        };
        let all = InstanceFilter::default();
        let living = "instance-state-name=pending,running,shutting-down,stopping,stopped";
        assert_eq!(of(&all).unwrap(), [living]);
        let zone = all.clone().with_zone("eu-*\\");
        assert_eq!(of(&zone).unwrap(), [living, "availability-zone=eu-\\*\\\\"]);
        let states =
            |states: &[InstanceState]| of(&all.clone().with_states(states.iter().copied()));
        use InstanceState as S;
        assert_eq!(states(&[S::Suspended, S::Stopped]).unwrap(), ["instance-state-name=stopped"]);
        assert_eq!(states(&[S::Failed, S::Repairing]), None);
        assert_eq!(states(&[S::Unknown, S::Running]).unwrap(), [""; 0]);
    }
}
