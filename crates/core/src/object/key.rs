use std::borrow::Borrow;
use std::fmt;
use std::ops::Deref;
use std::str::FromStr;

use serde::{Deserialize, Serialize};
use smol_str::SmolStr;

use crate::error::{Error, Result};

/// The name of an object: 1 to 1,024 bytes of UTF-8, taken byte for byte.
///
/// Nothing is trimmed, collapsed or decoded: `a//b`, `../x`, `a/` and `%41` are four keys that mean
/// just that. Keys order by their bytes, which is the order of listings. Cloning is cheap.
///
/// ```
/// use polycloud_core::object::Key;
///
/// let key = Key::new("logs/2026//11/")?;
/// assert_eq!(key.as_str(), "logs/2026//11/");
/// assert!(Key::new("").is_err());
/// # Ok::<(), polycloud_core::Error>(())
/// ```
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Key(SmolStr);

impl Key {
    /// Most bytes of a key.
    pub const MAX_BYTES: usize = 1_024;

    /// Checks and wraps a name.
    ///
    /// # Errors
    /// [`InvalidArgument`](crate::ErrorKind::InvalidArgument) if the name is empty or too long.
    pub fn new(name: impl AsRef<str> + Into<SmolStr>) -> Result<Self> {
        match name.as_ref().len() {
            0 => Err(Error::invalid("a key must not be empty")),
            n if n > Self::MAX_BYTES => Err(Error::invalid(format!(
                "a key has at most {} bytes, this one has {n}",
                Self::MAX_BYTES
            ))),
            _ => Ok(Self(name.into())),
        }
    }

    /// The name.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The key `self/name`. Slashes at the seam are kept as they are.
    ///
    /// # Errors
    /// [`InvalidArgument`](crate::ErrorKind::InvalidArgument) if the result is too long.
    pub fn join(&self, name: &str) -> Result<Self> {
        Self::new(format!("{self}/{name}"))
    }

    /// What follows the last `/`, or the whole key.
    #[must_use]
    pub fn file_name(&self) -> &str {
        self.0.rsplit_once('/').map_or(self.as_str(), |(_, name)| name)
    }
}

impl Deref for Key {
    type Target = str;

    fn deref(&self) -> &str {
        &self.0
    }
}

impl Borrow<str> for Key {
    fn borrow(&self) -> &str {
        &self.0
    }
}

impl AsRef<str> for Key {
    fn as_ref(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // A key may hold control characters; a log line must not.
        Escaped(&self.0).fmt(f)
    }
}

impl fmt::Debug for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Key({:?})", self.as_str())
    }
}

impl FromStr for Key {
    type Err = Error;

    fn from_str(name: &str) -> Result<Self> {
        Self::new(name)
    }
}

impl TryFrom<&str> for Key {
    type Error = Error;

    fn try_from(name: &str) -> Result<Self> {
        Self::new(name)
    }
}

impl TryFrom<String> for Key {
    type Error = Error;

    fn try_from(name: String) -> Result<Self> {
        Self::new(name)
    }
}

impl From<Key> for String {
    fn from(key: Key) -> Self {
        key.0.into()
    }
}

/// Prints control characters as escapes and everything else as it is.
struct Escaped<'a>(&'a str);

impl fmt::Display for Escaped<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if !self.0.contains(char::is_control) {
            return f.pad(self.0);
        }
        for c in self.0.chars() {
            if c.is_control() {
                write!(f, "{}", c.escape_default())?;
            } else {
                write!(f, "{c}")?;
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn length_is_counted_in_bytes() {
        assert!(Key::new("x".repeat(1024)).is_ok());
        assert!(Key::new("x".repeat(1025)).is_err());
        assert!(Key::new("é".repeat(513)).is_err());
    }

    #[test]
    fn log_lines_stay_one_line() {
        assert_eq!(Key::new("a\nb\u{7}").unwrap().to_string(), "a\\nb\\u{7}");
        assert_eq!(Key::new("ü/ß").unwrap().to_string(), "ü/ß");
    }

    proptest! {
        #[test]
        fn keys_are_kept_byte_for_byte(name in ".{1,200}") {
            let key = Key::new(&*name).unwrap();
            prop_assert_eq!(key.as_bytes(), name.as_bytes());
            prop_assert_eq!(String::from(key.clone()), name);
        }

        #[test]
        fn keys_order_by_bytes(a in ".{1,20}", b in ".{1,20}") {
            let (x, y) = (Key::new(&*a).unwrap(), Key::new(&*b).unwrap());
            prop_assert_eq!(x.cmp(&y), a.as_bytes().cmp(b.as_bytes()));
        }
    }
}
