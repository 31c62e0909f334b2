use std::collections::BTreeMap;
use std::fmt;

use serde::{Deserialize, Serialize};

use crate::error::{Error, Result};

/// Labels of an instance, within the rules that every provider accepts (they are Google Cloud's).
///
/// Keys have 1 to 63 characters of `a`–`z`, `0`–`9`, `-` and `_` and begin with a letter. Values have
/// up to 63 of the same characters. Keys that begin with `polycloud-` belong to this library.
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(try_from = "BTreeMap<String, String>", into = "BTreeMap<String, String>")]
pub struct Labels(BTreeMap<String, String>);

/// Beginning of the keys that this library sets.
const RESERVED: &str = "polycloud-";

impl Labels {
    /// No labels.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a label, in place of an earlier one of that key.
    ///
    /// # Errors
    /// [`InvalidArgument`](crate::ErrorKind::InvalidArgument) if a rule is broken or the key is reserved.
    pub fn with(mut self, key: impl Into<String>, value: impl Into<String>) -> Result<Self> {
        let (key, value) = (key.into(), value.into());
        if key.starts_with(RESERVED) {
            return Err(Error::invalid(format!(
                "label keys that begin with {RESERVED} are reserved"
            )));
        }
        check_label(&key, &value)?;
        self.0.insert(key, value);
        Ok(self)
    }

    /// The value of a label.
    #[must_use]
    pub fn get(&self, key: &str) -> Option<&str> {
        self.0.get(key).map(String::as_str)
    }

    /// Keys and values, ordered by key.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &str)> {
        self.0.iter().map(|(key, value)| (key.as_str(), value.as_str()))
    }

    /// Whether all of `other` are among these.
    #[must_use]
    pub fn contains(&self, other: &Self) -> bool {
        other.iter().all(|(key, value)| self.get(key) == Some(value))
    }

    /// How many there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Applies a patch.
    pub fn apply(&mut self, patch: &LabelPatch) {
        for (key, value) in &patch.0 {
            match value {
                Some(value) => drop(self.0.insert(key.clone(), value.clone())),
                None => drop(self.0.remove(key)),
            }
        }
    }
}

impl TryFrom<BTreeMap<String, String>> for Labels {
    type Error = Error;

    fn try_from(map: BTreeMap<String, String>) -> Result<Self> {
        map.into_iter().try_fold(Self::new(), |labels, (key, value)| labels.with(key, value))
    }
}

impl From<Labels> for BTreeMap<String, String> {
    fn from(labels: Labels) -> Self {
        labels.0
    }
}

fn legal(text: &str) -> bool {
    text.len() <= 63 && text.bytes().all(|b| matches!(b, b'a'..=b'z' | b'0'..=b'9' | b'-' | b'_'))
}

fn check_label(key: &str, value: &str) -> Result<()> {
    if legal(key) && key.starts_with(|c: char| c.is_ascii_lowercase()) && legal(value) {
        return Ok(());
    }
    Err(Error::invalid(format!(
        "a label has a key of 1 to 63 and a value of 0 to 63 characters of a-z, 0-9, - and _, and its \
         key begins with a letter; this one is {key:?}={value:?}"
    )))
}

/// Which labels to set and which to remove; the others stay.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct LabelPatch(BTreeMap<String, Option<String>>);

impl LabelPatch {
    /// Changes nothing.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Sets a label.
    ///
    /// # Errors
    /// As [`Labels::with`].
    pub fn set(mut self, key: impl Into<String>, value: impl Into<String>) -> Result<Self> {
        let one = Labels::new().with(key, value)?;
        self.0.extend(one.0.into_iter().map(|(key, value)| (key, Some(value))));
        Ok(self)
    }

    /// Removes a label. Removing one that is not there is fine.
    ///
    /// # Errors
    /// As [`Labels::with`].
    pub fn remove(mut self, key: impl Into<String>) -> Result<Self> {
        let one = Labels::new().with(key, "")?;
        self.0.extend(one.0.into_keys().map(|key| (key, None)));
        Ok(self)
    }

    /// Keys with their new values, or `None` to remove.
    pub fn iter(&self) -> impl Iterator<Item = (&str, Option<&str>)> {
        self.0.iter().map(|(key, value)| (key.as_str(), value.as_deref()))
    }

    /// Whether it changes nothing.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

/// Who instances belong to: a name by which [`sweep`](super::Sweep) finds what a killed program left.
///
/// Every resource that a create makes carries it as the label `polycloud-owner`.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Owner(String);

impl Owner {
    /// The label that carries it.
    pub const LABEL: &'static str = "polycloud-owner";

    /// Checks and wraps a name.
    ///
    /// # Errors
    /// [`InvalidArgument`](crate::ErrorKind::InvalidArgument) unless it is 1 to 63 characters of `a`–`z`,
    /// `0`–`9`, `-` and `_`.
    pub fn new(name: impl Into<String>) -> Result<Self> {
        let name = name.into();
        if legal(&name) && !name.is_empty() {
            return Ok(Self(name));
        }
        Err(Error::invalid(format!(
            "an owner is 1 to 63 characters of a-z, 0-9, - and _; this one is {name:?}"
        )))
    }

    /// The name.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Owner {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}

impl TryFrom<String> for Owner {
    type Error = Error;

    fn try_from(name: String) -> Result<Self> {
        Self::new(name)
    }
}

impl From<Owner> for String {
    fn from(owner: Owner) -> Self {
        owner.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn label_rules() {
        assert!(Labels::new().with("env", "prod-1").is_ok());
        assert!(Labels::new().with("env", "").is_ok());
        for (key, value) in
            [("", "x"), ("1a", "x"), ("Env", "x"), ("env", "Prod"), ("polycloud-owner", "x")]
        {
            assert!(Labels::new().with(key, value).is_err(), "{key}={value}");
        }
    }

    #[test]
    fn a_patch_sets_and_removes() {
        let mut labels = Labels::new().with("a", "1").unwrap().with("b", "2").unwrap();
        let patch =
            LabelPatch::new().set("b", "3").unwrap().remove("a").unwrap().remove("z").unwrap();
        labels.apply(&patch);
        assert_eq!(labels.iter().collect::<Vec<_>>(), [("b", "3")]);
        assert!(labels.contains(&Labels::new()));
        assert!(!labels.contains(&Labels::new().with("b", "2").unwrap()));
    }
}
