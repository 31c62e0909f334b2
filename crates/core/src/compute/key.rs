use std::fmt;

/// The private half of a key pair, as text for a file that SSH reads. Whoever has it can log in, so
/// `Debug` does not show it, and nothing writes it out by itself.
///
/// ```
/// use polycloud_core::compute::PrivateKey;
///
/// let key = PrivateKey::new("-----BEGIN OPENSSH PRIVATE KEY-----\n…");
/// assert_eq!(format!("{key:?}"), "PrivateKey(<redacted>)");
/// assert!(key.expose().starts_with("-----BEGIN"));
/// ```
#[derive(Clone, PartialEq, Eq)]
pub struct PrivateKey(String);

impl PrivateKey {
    /// Wraps a key.
    pub fn new(text: impl Into<String>) -> Self {
        Self(text.into())
    }

    /// The key. A file that it is written to should be readable by its owner only (mode 600), or SSH
    /// refuses it.
    #[must_use]
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for PrivateKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("PrivateKey(<redacted>)")
    }
}
