use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::error::{Error, Result};

/// Identifies an instance across providers, regions and processes.
///
/// It prints as `provider:scope/native`, and that text parses back to the same value. The scope is
/// what the provider needs to find the instance: a region (AWS), a zone (Google Cloud), a resource
/// group (Azure).
///
/// ```
/// use polycloud_core::compute::InstanceId;
///
/// let id: InstanceId = "aws:eu-west-1/i-0123456789abcdef0".parse()?;
/// assert_eq!(id.scope(), "eu-west-1");
/// assert_eq!(id.to_string().parse::<InstanceId>()?, id);
/// # Ok::<(), polycloud_core::Error>(())
/// ```
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct InstanceId {
    provider: String,
    scope: String,
    native: String,
}

impl InstanceId {
    /// Checks and joins the parts.
    ///
    /// # Errors
    /// [`InvalidArgument`](crate::ErrorKind::InvalidArgument) if a part is empty, longer than 256 bytes
    /// or has a control character or space; if the provider has a `:`; or if the provider or scope has
    /// a `/`.
    pub fn new(
        provider: impl Into<String>,
        scope: impl Into<String>,
        native: impl Into<String>,
    ) -> Result<Self> {
        let id = Self { provider: provider.into(), scope: scope.into(), native: native.into() };
        let plain = |part: &str| {
            (1..=256).contains(&part.len())
                && !part.contains(|c: char| c.is_control() || c.is_whitespace())
        };
        let parts = [&id.provider, &id.scope, &id.native];
        let legal = parts.iter().all(|part| plain(part))
            && !id.provider.contains([':', '/'])
            && !id.scope.contains('/');
        if legal {
            Ok(id)
        } else {
            Err(Error::invalid(format!("not an instance id: {:?}", id.to_string())))
        }
    }

    /// The provider, as [`ComputeInfo::provider`](super::ComputeInfo::provider) has it.
    #[must_use]
    pub fn provider(&self) -> &str {
        &self.provider
    }

    /// The region, zone or resource group.
    #[must_use]
    pub fn scope(&self) -> &str {
        &self.scope
    }

    /// The provider's own identifier.
    #[must_use]
    pub fn native(&self) -> &str {
        &self.native
    }
}

impl fmt::Display for InstanceId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}/{}", self.provider, self.scope, self.native)
    }
}

impl fmt::Debug for InstanceId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "InstanceId({self})")
    }
}

impl FromStr for InstanceId {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        let parts = text.split_once(':').and_then(|(provider, rest)| {
            rest.split_once('/').map(|(scope, native)| (provider, scope, native))
        });
        match parts {
            Some((provider, scope, native)) => Self::new(provider, scope, native),
            None => Err(Error::invalid(format!(
                "an instance id is written provider:scope/native, not {text:?}"
            ))),
        }
    }
}

impl TryFrom<String> for InstanceId {
    type Error = Error;

    fn try_from(text: String) -> Result<Self> {
        text.parse()
    }
}

impl From<InstanceId> for String {
    fn from(id: InstanceId) -> Self {
        id.to_string()
    }
}

/// The name of an instance, legal on every provider: 1 to 63 characters of `a`–`z`, `0`–`9` and `-`,
/// beginning with a letter and not ending with a dash.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct InstanceName(String);

impl InstanceName {
    /// Checks and wraps a name.
    ///
    /// # Errors
    /// [`InvalidArgument`](crate::ErrorKind::InvalidArgument) if a rule is broken.
    pub fn new(name: impl Into<String>) -> Result<Self> {
        let name = name.into();
        let legal = (1..=63).contains(&name.len())
            && name.bytes().all(|b| matches!(b, b'a'..=b'z' | b'0'..=b'9' | b'-'))
            && name.starts_with(|c: char| c.is_ascii_lowercase())
            && !name.ends_with('-');
        if legal {
            return Ok(Self(name));
        }
        Err(Error::invalid(format!(
            "an instance name is 1 to 63 characters of a-z, 0-9 and -, begins with a letter and does \
             not end with a dash; this one is {name:?}"
        )))
    }

    /// The name.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for InstanceName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}

impl FromStr for InstanceName {
    type Err = Error;

    fn from_str(name: &str) -> Result<Self> {
        Self::new(name)
    }
}

impl TryFrom<String> for InstanceName {
    type Error = Error;

    fn try_from(name: String) -> Result<Self> {
        Self::new(name)
    }
}

impl From<InstanceName> for String {
    fn from(name: InstanceName) -> Self {
        name.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn an_id_survives_text(p in "[a-z]{1,8}", s in "[a-z0-9().:-]{1,20}", n in "[!-~]{1,40}") {
            let id = InstanceId::new(p, s, n).unwrap();
            prop_assert_eq!(id.to_string().parse::<InstanceId>().unwrap(), id);
        }

        #[test]
        fn any_text_parses_or_fails_clearly(text in ".{0,60}") {
            if let Ok(id) = text.parse::<InstanceId>() {
                prop_assert_eq!(id.to_string(), text);
            }
        }
    }

    #[test]
    fn names_are_legal_everywhere() {
        assert!(InstanceName::new("web-1").is_ok());
        for bad in ["", "1web", "web-", "Web", "web_1", "-web", &"x".repeat(64)] {
            assert!(InstanceName::new(bad).is_err(), "{bad}");
        }
    }
}
