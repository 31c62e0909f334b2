//! `Filter.1.Name`, `Filter.1.Value.1`: which resources a listing shows.

use std::collections::BTreeMap;

use super::error::{Ec2Error, Result};
use super::params::Fields;

const MAX_VALUES: usize = 200;

/// The filters of a request. A resource has to pass them all; a filter lets pass what has one of its
/// values, in which `*` stands for any characters and `?` for one.
#[derive(Debug, Clone, Default)]
pub(crate) struct Filters<'a>(Vec<(&'a str, Vec<&'a str>)>);

impl<'a> Filters<'a> {
    /// Takes the filters of a request, of which those named `known` are possible, and `tag:KEY` and
    /// `tag-key`.
    pub(crate) fn parse(fields: &Fields<'a>, known: &[&str]) -> Result<Self> {
        let mut filters = Vec::new();
        let mut count = 0;
        for filter in fields.structs("Filter") {
            let name = filter.need("Name")?;
            let possible = known.contains(&name) || name.starts_with("tag:") || name == "tag-key";
            if !possible {
                return Err(Ec2Error::invalid(format!("The filter '{name}' is invalid")));
            }
            let values = filter.list("Value");
            if values.is_empty() {
                return Err(Ec2Error::invalid(format!("The filter '{name}' has no values")));
            }
            count += values.len();
            filters.push((name, values));
        }
        if count > MAX_VALUES {
            let message = format!("The maximum number of filter values is {MAX_VALUES}");
            return Err(Ec2Error::new("FilterLimitExceeded", message));
        }
        Ok(Self(filters))
    }

    /// Whether a resource passes: `values` tells its values for a name, none if it has none.
    pub(crate) fn pass(
        &self,
        tags: &BTreeMap<String, String>,
        values: impl Fn(&str) -> Vec<String>,
    ) -> bool {
        self.0.iter().all(|(name, wanted)| {
            let own = match name.strip_prefix("tag:") {
                Some(key) => tags.get(key).cloned().into_iter().collect(),
                None if *name == "tag-key" => tags.keys().cloned().collect(),
                None => values(name),
            };
            own.iter().any(|own| wanted.iter().any(|wanted| like(wanted, own)))
        })
    }
}

/// Whether a text is like a pattern, in which `*` and `?` are wild unless a backslash is before them.
pub(crate) fn like(pattern: &str, text: &str) -> bool {
    let pattern = parse(pattern);
    let text = text.chars().collect::<Vec<_>>();
    let (mut at, mut seen) = (0, 0);
    // Where to go on if what follows the last star does not match: the star takes one more.
    let mut star = None;
    while let Some(next) = text.get(seen) {
        match pattern.get(at) {
            Some(Wild::Many) => {
                star = Some((at, seen));
                at += 1;
            }
            Some(Wild::One) => (at, seen) = (at + 1, seen + 1),
            Some(Wild::Exactly(wanted)) if wanted == next => (at, seen) = (at + 1, seen + 1),
            _ => match star {
                Some((star_at, taken)) => {
                    star = Some((star_at, taken + 1));
                    (at, seen) = (star_at + 1, taken + 1);
                }
                None => return false,
            },
        }
    }
    pattern.iter().skip(at).all(|rest| *rest == Wild::Many)
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Wild {
    Exactly(char),
    One,
    Many,
}

fn parse(pattern: &str) -> Vec<Wild> {
    let mut all = Vec::with_capacity(pattern.len());
    let mut characters = pattern.chars();
    while let Some(character) = characters.next() {
        all.push(match character {
            '*' => Wild::Many,
            '?' => Wild::One,
            '\\' => Wild::Exactly(characters.next().unwrap_or('\\')),
            other => Wild::Exactly(other),
        });
    }
    all
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ec2::params::Params;

    #[test]
    fn wild_cards() {
        for (pattern, text) in [
            ("", ""),
            ("*", ""),
            ("a*c", "abbc"),
            ("a*b*c", "axbxbc"),
            ("?b", "ab"),
            ("\\*", "*"),
            ("*-amd64-*", "ubuntu-amd64-server"),
        ] {
            assert!(like(pattern, text), "{pattern} {text}");
        }
        for (pattern, text) in [("", "a"), ("a", ""), ("a*c", "abd"), ("?", ""), ("\\*", "x")] {
            assert!(!like(pattern, text), "{pattern} {text}");
        }
    }

    #[test]
    fn filters_of_a_request() {
        let pairs = [
            ("Filter.1.Name", "state"),
            ("Filter.1.Value.1", "run*"),
            ("Filter.1.Value.2", "stopped"),
            ("Filter.2.Name", "tag:Name"),
            ("Filter.2.Value.1", "web"),
        ];
        let pairs = pairs.map(|(name, value)| (name.to_owned(), value.to_owned()));
        let params = Params::new(pairs);
        let filters = Filters::parse(&params.root(), &["state"]).unwrap();
        let tags = |value: &str| BTreeMap::from([("Name".to_owned(), value.to_owned())]);
        let passes = |state: &str, tag| filters.pass(&tags(tag), |_| vec![state.to_owned()]);
        assert!(passes("running", "web"));
        assert!(passes("stopped", "web"));
        assert!(!passes("pending", "web"));
        assert!(!passes("running", "other"));
        assert!(!filters.pass(&tags("web"), |_| Vec::new()));
        let error = Filters::parse(&params.root(), &["other"]).unwrap_err();
        assert_eq!(error.code, "InvalidParameterValue");
    }
}
