//! Parameters of the Query protocol: `BlockDeviceMapping.1.Ebs.VolumeSize=8`.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::str::FromStr;

use super::error::{Ec2Error, Result};

/// All parameters of a request.
#[derive(Clone, Default)]
pub(crate) struct Params(BTreeMap<String, String>);

impl Params {
    /// The first value of each name counts.
    pub(crate) fn new(pairs: impl IntoIterator<Item = (String, String)>) -> Self {
        let mut all = BTreeMap::new();
        for (name, value) in pairs {
            all.entry(name).or_insert(value);
        }
        Self(all)
    }

    /// All of them.
    pub(crate) fn root(&self) -> Fields<'_> {
        Fields { all: &self.0, prefix: String::new() }
    }

    /// A text that is equal for requests with equal parameters, but for those named.
    pub(crate) fn fingerprint(&self, without: &[&str]) -> String {
        let mut text = String::new();
        for (name, value) in &self.0 {
            if !without.contains(&name.as_str()) {
                text.push_str(&format!("{}:{name}={}:{value}\n", name.len(), value.len()));
            }
        }
        text
    }
}

static NONE: BTreeMap<String, String> = BTreeMap::new();

/// The parameters of a structure: those whose names begin like it.
#[derive(Clone)]
pub(crate) struct Fields<'a> {
    all: &'a BTreeMap<String, String>,
    /// Empty, or with a dot at its end.
    prefix: String,
}

// Values may be secrets, such as user data.
impl fmt::Debug for Params {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.0.keys()).finish()
    }
}

impl fmt::Debug for Fields<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Fields").field(&self.prefix).finish()
    }
}

impl Default for Fields<'_> {
    fn default() -> Self {
        Self { all: &NONE, prefix: String::new() }
    }
}

impl<'a> Fields<'a> {
    /// A value that is not empty.
    pub(crate) fn text(&self, name: &str) -> Option<&'a str> {
        let value = self.all.get(&format!("{}{name}", self.prefix))?;
        Some(value.as_str()).filter(|value| !value.is_empty())
    }

    /// A value that may be empty, such as that of a tag.
    pub(crate) fn any_text(&self, name: &str) -> Option<&'a str> {
        self.all.get(&format!("{}{name}", self.prefix)).map(String::as_str)
    }

    /// A value that has to be there.
    pub(crate) fn need(&self, name: &str) -> Result<&'a str> {
        self.text(name).ok_or_else(|| Ec2Error::missing(&format!("{}{name}", self.prefix)))
    }

    /// A number.
    pub(crate) fn number<N: FromStr>(&self, name: &str) -> Result<Option<N>> {
        let Some(text) = self.text(name) else { return Ok(None) };
        let wrong = |_| Ec2Error::invalid_value(&format!("{}{name}", self.prefix), text);
        text.parse().map(Some).map_err(wrong)
    }

    /// `true` or `false`.
    pub(crate) fn flag(&self, name: &str) -> Result<Option<bool>> {
        match self.text(name) {
            None => Ok(None),
            Some("true" | "True" | "1") => Ok(Some(true)),
            Some("false" | "False" | "0") => Ok(Some(false)),
            Some(text) => Err(Ec2Error::invalid_value(&format!("{}{name}", self.prefix), text)),
        }
    }

    /// `NAME.1`, `NAME.2` and so on, in the order of their numbers.
    pub(crate) fn list(&self, name: &str) -> Vec<&'a str> {
        let mut items = self
            .numbered(name)
            .into_iter()
            .filter_map(|number| self.any_text(&format!("{name}.{number}")))
            .collect::<Vec<_>>();
        if items.is_empty() {
            items.extend(self.text(name));
        }
        items
    }

    /// `NAME.1.FIELD`, `NAME.2.FIELD` and so on.
    pub(crate) fn structs(&self, name: &str) -> Vec<Self> {
        let numbers = self.numbered(name).into_iter();
        numbers.map(|number| self.inner(&format!("{name}.{number}"))).collect()
    }

    /// `NAME.FIELD`.
    pub(crate) fn inner(&self, name: &str) -> Self {
        Self { all: self.all, prefix: format!("{}{name}.", self.prefix) }
    }

    fn numbered(&self, name: &str) -> BTreeSet<u32> {
        let prefix = format!("{}{name}.", self.prefix);
        let from = self.all.range(prefix.clone()..);
        from.map_while(|(known, _)| known.strip_prefix(&prefix))
            .filter_map(|rest| rest.split('.').next()?.parse().ok())
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn params(pairs: &[(&str, &str)]) -> Params {
        Params::new(pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())))
    }

    #[test]
    fn values_lists_and_structures() {
        let params = params(&[
            ("MinCount", "2"),
            ("Force", "true"),
            ("InstanceId.2", "i-2"),
            ("InstanceId.10", "i-10"),
            ("InstanceId.1", "i-1"),
            ("Disk.1.Ebs.Size", "8"),
            ("Disk.2.Name", "x"),
            ("Empty", ""),
        ]);
        let root = params.root();
        assert_eq!(root.number::<u32>("MinCount"), Ok(Some(2)));
        assert_eq!(root.number::<u32>("MaxCount"), Ok(None));
        assert_eq!(root.flag("Force"), Ok(Some(true)));
        assert_eq!(root.text("Empty"), None);
        assert_eq!(root.any_text("Empty"), Some(""));
        assert_eq!(root.list("InstanceId"), ["i-1", "i-2", "i-10"]);
        let disks = root.structs("Disk");
        assert_eq!(disks.len(), 2);
        assert_eq!(disks[0].inner("Ebs").text("Size"), Some("8"));
        assert_eq!(disks[1].inner("Ebs").text("Size"), None);
        assert_eq!(disks[1].need("Size").unwrap_err().code, "MissingParameter");
        assert_eq!(root.number::<u32>("Force").unwrap_err().code, "InvalidParameterValue");
        assert_eq!(root.flag("MinCount").unwrap_err().code, "InvalidParameterValue");
    }

    #[test]
    fn fingerprints_tell_requests_apart() {
        let one = params(&[("A", "1"), ("Token", "x")]);
        assert_eq!(one.fingerprint(&["Token"]), params(&[("A", "1")]).fingerprint(&[]));
        assert_ne!(one.fingerprint(&[]), params(&[("A", "1")]).fingerprint(&[]));
    }
}
