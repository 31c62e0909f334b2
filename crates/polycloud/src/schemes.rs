//! What to say about a scheme that cannot be opened.

use crate::Error;
use crate::options::{listed, nearest};

/// Whether the feature that brings a scheme can be had.
#[derive(Clone, Copy)]
enum Feature {
    On,
    Off,
    /// A provider that this version does not have yet.
    Planned,
}

const fn enabled(on: bool) -> Feature {
    if on { Feature::On } else { Feature::Off }
}

/// Schemes, the feature of this crate that brings each, and how that stands.
const SCHEMES: [(&str, &str, Feature); 9] = [
    ("file", "local", enabled(cfg!(feature = "local"))),
    ("memory", "local", enabled(cfg!(feature = "local"))),
    ("local", "local", enabled(cfg!(feature = "local"))),
    ("s3", "aws-s3", enabled(cfg!(feature = "aws-s3"))),
    ("ec2", "aws-ec2", enabled(cfg!(feature = "aws-ec2"))),
    ("gs", "gcp", Feature::Planned),
    ("gcp", "gcp", Feature::Planned),
    ("az", "azure", Feature::Planned),
    ("azure", "azure", Feature::Planned),
];

/// Whether the path of a URL is a directory in the bucket that its host names.
pub(crate) fn has_directory_as_path(scheme: &str) -> bool {
    scheme == "s3"
}

/// An error that says why there is no `what` (store or compute) of a scheme, and what helps.
pub(crate) fn missing<'a>(
    what: &str,
    scheme: &str,
    known: impl IntoIterator<Item = &'a str>,
) -> Error {
    let known: Vec<&str> = known.into_iter().collect();
    let why = match SCHEMES.into_iter().find(|(name, ..)| *name == scheme) {
        Some((_, feature, Feature::Off)) => {
            format!("enable the feature `{feature}` of the crate polycloud in Cargo.toml")
        }
        Some((_, feature, Feature::Planned)) => format!(
            "it needs the feature `{feature}` of the crate polycloud, which this version does not \
             have yet"
        ),
        Some((_, _, Feature::On)) => {
            let other = if what == "store" { "compute" } else { "store" };
            format!("it is one of a {other}, for open_{other}")
        }
        None => nearest(scheme, known.iter().copied()).map_or_else(
            || format!("add your own with Registry::with_{what}"),
            |near| format!("did you mean `{near}`?"),
        ),
    };
    Error::config(format!(
        "no {what} has the scheme `{scheme}`: {why}; known here: {}",
        listed(known)
    ))
}
