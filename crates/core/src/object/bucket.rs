use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};
use smol_str::SmolStr;

use crate::error::{Error, Result};

/// The name of a bucket (Azure: container) that is legal on every provider.
///
/// 3 to 63 characters of `a`–`z`, `0`–`9` and `-`, beginning and ending with a letter or digit,
/// without `--`. Google Cloud and S3 allow dots in addition, which break TLS host names; a backend
/// that reaches such a bucket takes its name from a URL, not from here.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct BucketName(SmolStr);

impl BucketName {
    /// Checks and wraps a name.
    ///
    /// # Errors
    /// [`InvalidArgument`](crate::ErrorKind::InvalidArgument), naming the broken rule.
    pub fn new(name: impl AsRef<str>) -> Result<Self> {
        let name = name.as_ref();
        let edge = |c: Option<char>| c.is_some_and(|c| c != '-');
        let broken = if !(3..=63).contains(&name.len()) {
            "has 3 to 63 characters"
        } else if name.contains(|c: char| !matches!(c, 'a'..='z' | '0'..='9' | '-')) {
            "consists of a-z, 0-9 and -"
        } else if !edge(name.chars().next()) || !edge(name.chars().next_back()) {
            "begins and ends with a letter or digit"
        } else if name.contains("--") {
            "has no two dashes in a row"
        } else {
            return Ok(Self(name.into()));
        };
        Err(Error::invalid(format!("a bucket name {broken}; this one is {name:?}")))
    }

    /// The name.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl AsRef<str> for BucketName {
    fn as_ref(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for BucketName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}

impl fmt::Debug for BucketName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "BucketName({:?})", self.as_str())
    }
}

impl FromStr for BucketName {
    type Err = Error;

    fn from_str(name: &str) -> Result<Self> {
        Self::new(name)
    }
}

impl TryFrom<String> for BucketName {
    type Error = Error;

    fn try_from(name: String) -> Result<Self> {
        Self::new(name)
    }
}

impl From<BucketName> for String {
    fn from(name: BucketName) -> Self {
        name.0.into()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_rules_hold() {
        for good in ["abc", "a-1", "0a0", &"x".repeat(63)] {
            assert!(BucketName::new(good).is_ok(), "{good}");
        }
        let long = "x".repeat(64);
        for bad in ["", "ab", "Abc", "a.b", "-ab", "ab-", "a--b", "a_b", "aé1", "a/b", "../", &long]
        {
            assert!(BucketName::new(bad).is_err(), "{bad}");
        }
    }
}
