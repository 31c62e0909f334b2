use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::error::{Error, Result};

/// What an object is, in the words of HTTP, and the user's own metadata.
///
/// ```
/// use polycloud_core::object::Attributes;
///
/// let attributes = Attributes::new()
///     .with_content_type("text/plain; charset=utf-8")?
///     .with_metadata("author", "Ada Lovelace")?;
/// assert_eq!(attributes.metadata().get("author"), Some("Ada Lovelace"));
/// # Ok::<(), polycloud_core::Error>(())
/// ```
///
/// Clones share the content; objects without attributes cost nothing.
#[derive(Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(from = "Fields", into = "Fields")]
pub struct Attributes(Option<Arc<Fields>>);

#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
struct Fields {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    content_type: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    content_encoding: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    content_language: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    content_disposition: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    cache_control: Option<String>,
    #[serde(default, skip_serializing_if = "Metadata::is_empty")]
    metadata: Metadata,
}

macro_rules! header_attribute {
    ($field:ident, $set:ident, $header:literal) => {
        #[doc = concat!("The `", $header, "` header, if one was stored.")]
        #[must_use]
        pub fn $field(&self) -> Option<&str> {
            self.0.as_ref().and_then(|fields| fields.$field.as_deref())
        }

        #[doc = concat!("Sets the `", $header, "` header.")]
        ///
        /// # Errors
        /// [`InvalidArgument`](crate::ErrorKind::InvalidArgument) unless it is 1 to 1,024 printable
        /// ASCII characters.
        pub fn $set(mut self, value: impl Into<String>) -> Result<Self> {
            let value = header_value($header, value.into())?;
            self.fields().$field = Some(value);
            Ok(self)
        }
    };
}

impl Attributes {
    /// No attributes.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    header_attribute!(content_type, with_content_type, "Content-Type");
    header_attribute!(content_encoding, with_content_encoding, "Content-Encoding");
    header_attribute!(content_language, with_content_language, "Content-Language");
    header_attribute!(content_disposition, with_content_disposition, "Content-Disposition");
    header_attribute!(cache_control, with_cache_control, "Cache-Control");

    /// The user's own names and values.
    #[must_use]
    pub fn metadata(&self) -> &Metadata {
        const NONE: &Metadata = &Metadata(BTreeMap::new());
        self.0.as_ref().map_or(NONE, |fields| &fields.metadata)
    }

    /// Adds a name and value of the user's own, in place of an earlier one of that name.
    ///
    /// # Errors
    /// As [`Metadata::insert`].
    pub fn with_metadata(
        mut self,
        name: impl AsRef<str>,
        value: impl Into<String>,
    ) -> Result<Self> {
        self.fields().metadata.insert(name, value)?;
        Ok(self)
    }

    /// Whether none is set.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_none()
    }

    /// Whether one of the HTTP headers is set.
    #[must_use]
    pub fn has_headers(&self) -> bool {
        let Some(fields) = &self.0 else { return false };
        let Fields {
            content_type: a,
            content_encoding: b,
            content_language: c,
            content_disposition: d,
            cache_control: e,
            metadata: _,
        } = &**fields;
        [a, b, c, d, e].into_iter().any(Option::is_some)
    }

    fn fields(&mut self) -> &mut Fields {
        Arc::make_mut(self.0.get_or_insert_default())
    }
}

impl From<Fields> for Attributes {
    fn from(fields: Fields) -> Self {
        // One way to have none, so that attributes compare by content.
        Self((fields != Fields::default()).then(|| Arc::new(fields)))
    }
}

impl From<Attributes> for Fields {
    fn from(attributes: Attributes) -> Self {
        attributes.0.map(Arc::unwrap_or_clone).unwrap_or_default()
    }
}

impl fmt::Debug for Attributes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        Fields::from(self.clone()).fmt(f)
    }
}

fn header_value(name: &str, value: String) -> Result<String> {
    let printable = value.bytes().all(|b| matches!(b, b' '..=b'~'));
    if printable && (1..=1_024).contains(&value.len()) && value.trim() == value {
        return Ok(value);
    }
    Err(Error::invalid(format!(
        "{name} takes 1 to 1,024 printable ASCII characters without space around them"
    )))
}

/// The user's own names and values, ordered by name.
///
/// Names are kept in lower case, as S3 returns them. Values are any text without control characters;
/// backends escape what their headers cannot carry. How much fits is the backend's
/// [`metadata_bytes`](crate::capability::Limits::metadata_bytes).
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "BTreeMap<String, String>", into = "BTreeMap<String, String>")]
pub struct Metadata(BTreeMap<String, String>);

impl Metadata {
    /// Adds a name and value, in place of an earlier one of that name.
    ///
    /// # Errors
    /// [`InvalidArgument`](crate::ErrorKind::InvalidArgument) unless the name is 1 to 128 characters of
    /// `A`–`Z` (made lower case), `a`–`z`, `0`–`9`, `-` and `_`, and the value has no control
    /// characters.
    pub fn insert(&mut self, name: impl AsRef<str>, value: impl Into<String>) -> Result<()> {
        let (name, value) = (name.as_ref(), value.into());
        let legal = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_');
        if !(1..=128).contains(&name.len()) || !name.bytes().all(legal) {
            return Err(Error::invalid(format!(
                "a metadata name is 1 to 128 characters of a-z, 0-9, - and _; this one is {name:?}"
            )));
        }
        if value.contains(char::is_control) {
            return Err(Error::invalid(format!(
                "the metadata value of {name:?} has control characters"
            )));
        }
        self.0.insert(name.to_ascii_lowercase(), value);
        Ok(())
    }

    /// The value of a name, which is looked up in lower case.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&str> {
        self.0.get(&name.to_ascii_lowercase()).map(String::as_str)
    }

    /// Names and values, ordered by name.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &str)> {
        self.0.iter().map(|(name, value)| (name.as_str(), value.as_str()))
    }

    /// Names and values together, in bytes: what providers limit.
    #[must_use]
    pub fn size(&self) -> u64 {
        self.0.iter().map(|(name, value)| (name.len() + value.len()) as u64).sum()
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl TryFrom<BTreeMap<String, String>> for Metadata {
    type Error = Error;

    fn try_from(map: BTreeMap<String, String>) -> Result<Self> {
        let mut metadata = Self::default();
        map.into_iter().try_for_each(|(name, value)| metadata.insert(name, value))?;
        Ok(metadata)
    }
}

impl From<Metadata> for BTreeMap<String, String> {
    fn from(metadata: Metadata) -> Self {
        metadata.0
    }
}

/// Tags of an object: at most ten, within the rules that S3 and Azure share.
///
/// Keys have 1 to 128 and values 0 to 256 characters of ASCII letters, digits, space and
/// `+ - = . _ : / @`. Clones share the content.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "BTreeMap<String, String>", into = "BTreeMap<String, String>")]
pub struct Tags(Option<Arc<BTreeMap<String, String>>>);

impl Tags {
    /// Most tags of an object.
    pub const MAX: usize = 10;

    /// No tags.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a tag, in place of an earlier one of that key.
    ///
    /// # Errors
    /// [`InvalidArgument`](crate::ErrorKind::InvalidArgument) if a rule is broken.
    pub fn with(mut self, key: impl Into<String>, value: impl Into<String>) -> Result<Self> {
        let (key, value) = (key.into(), value.into());
        let legal = |b: u8| b.is_ascii_alphanumeric() || b" +-=._:/@".contains(&b);
        if !(1..=128).contains(&key.len()) || value.len() > 256 {
            return Err(Error::invalid(
                "a tag has a key of 1 to 128 and a value of 0 to 256 characters",
            ));
        }
        if !key.bytes().chain(value.bytes()).all(legal) {
            return Err(Error::invalid(format!(
                "a tag consists of ASCII letters, digits, space and +-=._:/@; this one is {key:?}={value:?}"
            )));
        }
        Arc::make_mut(self.0.get_or_insert_default()).insert(key, value);
        if self.len() > Self::MAX {
            return Err(Error::invalid("an object has at most 10 tags"));
        }
        Ok(self)
    }

    /// The value of a tag.
    #[must_use]
    pub fn get(&self, key: &str) -> Option<&str> {
        self.0.as_ref().and_then(|tags| tags.get(key)).map(String::as_str)
    }

    /// Keys and values, ordered by key.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &str)> {
        self.0
            .iter()
            .flat_map(|tags| tags.iter())
            .map(|(key, value)| (key.as_str(), value.as_str()))
    }

    /// How many there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.0.as_ref().map_or(0, |tags| tags.len())
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_none()
    }
}

impl TryFrom<BTreeMap<String, String>> for Tags {
    type Error = Error;

    fn try_from(map: BTreeMap<String, String>) -> Result<Self> {
        map.into_iter().try_fold(Self::new(), |tags, (key, value)| tags.with(key, value))
    }
}

impl From<Tags> for BTreeMap<String, String> {
    fn from(tags: Tags) -> Self {
        tags.0.map(Arc::unwrap_or_clone).unwrap_or_default()
    }
}

/// A provider's storage class or access tier, by the provider's own name: `STANDARD_IA`, `NEARLINE`,
/// `Cool`.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct StorageClass(String);

impl StorageClass {
    /// Checks and wraps a name.
    ///
    /// # Errors
    /// [`InvalidArgument`](crate::ErrorKind::InvalidArgument) unless it is 1 to 64 ASCII letters, digits,
    /// `-` and `_`.
    pub fn new(name: impl Into<String>) -> Result<Self> {
        let name = name.into();
        let legal = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_');
        if (1..=64).contains(&name.len()) && name.bytes().all(legal) {
            return Ok(Self(name));
        }
        Err(Error::invalid(format!("not a storage class: {name:?}")))
    }

    /// The provider's name.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for StorageClass {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}

impl TryFrom<String> for StorageClass {
    type Error = Error;

    fn try_from(name: String) -> Result<Self> {
        Self::new(name)
    }
}

impl From<StorageClass> for String {
    fn from(class: StorageClass) -> Self {
        class.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn header_injection_is_impossible() {
        for bad in ["", "text/plain\r\nX-Evil: 1", "a\0b", "é", " a", "a "] {
            assert!(Attributes::new().with_content_type(bad).is_err(), "{bad:?}");
        }
        assert!(Attributes::new().with_metadata("x", "a\r\nb").is_err());
        assert!(Attributes::new().with_metadata("x y", "a").is_err());
    }

    #[test]
    fn metadata_names_are_lower_case() {
        let attributes = Attributes::new().with_metadata("Author", "Ä ☺").unwrap();
        assert_eq!(attributes.metadata().iter().collect::<Vec<_>>(), [("author", "Ä ☺")]);
        assert_eq!(attributes.metadata().get("AUTHOR"), Some("Ä ☺"));
        assert!(!attributes.is_empty() && !attributes.has_headers());
    }

    #[test]
    fn ten_tags_and_no_more() {
        let ten = (0..10).try_fold(Tags::new(), |tags, i| tags.with(format!("k{i}"), "v")).unwrap();
        assert_eq!(ten.len(), 10);
        assert!(ten.clone().with("k9", "replaced").is_ok());
        assert!(ten.with("k10", "v").is_err());
        assert!(Tags::new().with("a&b", "v").is_err());
    }
}
