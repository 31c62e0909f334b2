//! Ids of versions, uploads and pages: opaque to clients, checked and read back here.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

/// What an id names; ids of one kind are no ids of another.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum IdKind {
    Version,
    Upload,
    Token,
}

impl IdKind {
    const fn tag(self) -> &'static [u8] {
        match self {
            Self::Version => b"version",
            Self::Upload => b"upload",
            Self::Token => b"token",
        }
    }
}

/// Numbers in the order of events, and the texts that stand for them outside.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub(crate) struct Ids {
    seed: u64,
    next: u64,
}

impl Ids {
    /// The next number.
    pub(crate) const fn take(&mut self) -> u64 {
        self.next = self.next.saturating_add(1);
        self.next
    }

    /// The text of a number: 32 characters.
    pub(crate) fn encode(&self, kind: IdKind, number: u64) -> String {
        let plain = number.to_be_bytes();
        let mac = self.mac(kind, &plain);
        let mut bytes = [0; 24];
        for (at, byte) in bytes.iter_mut().enumerate() {
            let hidden = plain.get(at.wrapping_sub(16)).copied().unwrap_or_default();
            *byte = mac.get(at).copied().unwrap_or_default() ^ hidden;
        }
        URL_SAFE_NO_PAD.encode(bytes)
    }

    /// The number of a text that `encode` made.
    pub(crate) fn decode(&self, kind: IdKind, text: &str) -> Option<u64> {
        let bytes = <[u8; 24]>::try_from(URL_SAFE_NO_PAD.decode(text).ok()?).ok()?;
        // The bytes that hide the number come from the digest, which is only known with the number:
        // the second half of the digest is a function of the first.
        let (shown, hidden) = bytes.split_at(16);
        let mask = Self::mask(shown);
        let mut plain = [0; 8];
        for ((to, from), mask) in plain.iter_mut().zip(hidden).zip(mask) {
            *to = from ^ mask;
        }
        let number = u64::from_be_bytes(plain);
        (self.encode(kind, number) == text).then_some(number)
    }

    /// A text that carries a text of ours and cannot be made up.
    pub(crate) fn seal(&self, scope: &str, text: &str) -> String {
        let mut bytes = self.sealed_mac(scope, text).to_vec();
        bytes.extend_from_slice(text.as_bytes());
        URL_SAFE_NO_PAD.encode(bytes)
    }

    /// What `seal` was given.
    pub(crate) fn unseal(&self, scope: &str, sealed: &str) -> Option<String> {
        let bytes = URL_SAFE_NO_PAD.decode(sealed).ok()?;
        let (mac, text) = bytes.split_at_checked(8)?;
        let text = String::from_utf8(text.to_vec()).ok()?;
        (self.sealed_mac(scope, &text) == mac).then_some(text)
    }

    fn sealed_mac(&self, scope: &str, text: &str) -> [u8; 8] {
        let mut hash = Sha256::new();
        hash.update(self.seed.to_be_bytes());
        hash.update(IdKind::Token.tag());
        hash.update(scope.len().to_be_bytes());
        hash.update(scope.as_bytes());
        hash.update(text.as_bytes());
        first(&hash.finalize())
    }

    fn mac(&self, kind: IdKind, plain: &[u8; 8]) -> [u8; 24] {
        let mut hash = Sha256::new();
        hash.update(self.seed.to_be_bytes());
        hash.update(kind.tag());
        hash.update(plain);
        let shown = first::<16>(&hash.finalize());
        let mut all = [0; 24];
        for (to, from) in all.iter_mut().zip(shown.into_iter().chain(Self::mask(&shown))) {
            *to = from;
        }
        all
    }

    fn mask(shown: &[u8]) -> [u8; 8] {
        first(&Sha256::digest(shown))
    }
}

fn first<const N: usize>(bytes: &[u8]) -> [u8; N] {
    let mut array = [0; N];
    for (to, from) in array.iter_mut().zip(bytes) {
        *to = *from;
    }
    array
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_are_read_back_and_cannot_be_made_up() {
        let mut ids = Ids::default();
        let number = ids.take();
        let text = ids.encode(IdKind::Version, number);
        assert_eq!(text.len(), 32);
        assert_eq!(ids.decode(IdKind::Version, &text), Some(number));
        assert_eq!(ids.decode(IdKind::Upload, &text), None);
        assert_eq!(ids.decode(IdKind::Version, "x"), None);
        assert_eq!(ids.decode(IdKind::Version, &"A".repeat(32)), None);
        assert_ne!(ids.encode(IdKind::Version, ids.next + 1), text);
    }

    #[test]
    fn sealed_texts_belong_to_their_scope() {
        let ids = Ids::default();
        let sealed = ids.seal("bucket", "a/ü");
        assert_eq!(ids.unseal("bucket", &sealed).as_deref(), Some("a/ü"));
        assert_eq!(ids.unseal("other", &sealed), None);
        assert_eq!(ids.unseal("bucket", &format!("{sealed}x")), None);
        assert_eq!(ids.unseal("bucket", ""), None);
    }
}
