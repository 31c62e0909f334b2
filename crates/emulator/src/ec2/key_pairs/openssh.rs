//! Keys as OpenSSH writes them (RFC 4253, RFC 8709, `PROTOCOL.key`).

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, STANDARD_NO_PAD};
use ed25519_dalek::SigningKey;
use md5::{Digest as _, Md5};
use sha2::Sha256;

/// Bits of the shortest and the longest RSA key.
const RSA_BITS: std::ops::RangeInclusive<usize> = 1024..=16_384;

const ED25519: &[u8] = b"ssh-ed25519";

/// A public key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum PublicKey {
    Ed25519([u8; 32]),
    /// Both as big-endian numbers, with a zero before a first bit that is set.
    Rsa {
        exponent: Vec<u8>,
        modulus: Vec<u8>,
    },
}

impl PublicKey {
    /// Reads `ssh-ed25519 AAAA… comment`.
    pub(super) fn parse(text: &[u8]) -> Option<Self> {
        let text = std::str::from_utf8(text).ok()?;
        let mut words = text.split_ascii_whitespace();
        let (kind, blob) = (words.next()?, words.next()?);
        let blob = STANDARD_NO_PAD.decode(blob.trim_end_matches('=')).ok()?;
        let mut rest = blob.as_slice();
        if field(&mut rest)? != kind.as_bytes() {
            return None;
        }
        let key = match kind {
            "ssh-ed25519" => Self::Ed25519(field(&mut rest)?.try_into().ok()?),
            "ssh-rsa" => {
                let (exponent, modulus) = (field(&mut rest)?.to_vec(), field(&mut rest)?.to_vec());
                let bits = modulus.iter().skip_while(|byte| **byte == 0).count() * 8;
                if exponent.is_empty() || !RSA_BITS.contains(&bits) {
                    return None;
                }
                Self::Rsa { exponent, modulus }
            }
            _ => return None,
        };
        rest.is_empty().then_some(key)
    }

    fn blob(&self) -> Vec<u8> {
        let mut blob = Vec::new();
        match self {
            Self::Ed25519(key) => {
                push(&mut blob, ED25519);
                push(&mut blob, key);
            }
            Self::Rsa { exponent, modulus } => {
                push(&mut blob, b"ssh-rsa");
                push(&mut blob, exponent);
                push(&mut blob, modulus);
            }
        }
        blob
    }

    /// The line of it in a file of keys.
    pub(super) fn line(&self, comment: &str) -> String {
        let kind = if matches!(self, Self::Rsa { .. }) { "ssh-rsa" } else { "ssh-ed25519" };
        format!("{kind} {} {comment}", STANDARD.encode(self.blob()))
    }

    /// As EC2 tells it of keys that are imported: of RSA the MD5 of the key in DER, of others the SHA-256 of
    /// the key as OpenSSH has it.
    pub(super) fn fingerprint(&self) -> String {
        match self {
            Self::Ed25519(_) => STANDARD.encode(Sha256::digest(self.blob())),
            Self::Rsa { exponent, modulus } => {
                let digest = Md5::digest(rsa_der(exponent, modulus));
                let bytes = digest.iter().map(|byte| format!("{byte:02x}")).collect::<Vec<_>>();
                bytes.join(":")
            }
        }
    }
}

/// `SubjectPublicKeyInfo` (RFC 5280) of an RSA key.
fn rsa_der(exponent: &[u8], modulus: &[u8]) -> Vec<u8> {
    // The object identifier 1.2.840.113549.1.1.1, and no parameters.
    const ALGORITHM: [u8; 15] =
        [0x30, 0x0d, 0x06, 0x09, 0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x01, 0x01, 0x05, 0x00];
    let mut key = tagged(0x02, modulus);
    key.extend(tagged(0x02, exponent));
    let mut bits = vec![0];
    bits.extend(tagged(0x30, &key));
    let mut info = ALGORITHM.to_vec();
    info.extend(tagged(0x03, &bits));
    tagged(0x30, &info)
}

/// A value with its tag and its length before it.
fn tagged(tag: u8, value: &[u8]) -> Vec<u8> {
    let mut bytes = vec![tag];
    match u8::try_from(value.len()) {
        Ok(length) if length < 0x80 => bytes.push(length),
        _ => {
            let length = value.len().to_be_bytes();
            let digits = length.iter().copied().skip_while(|byte| *byte == 0).collect::<Vec<_>>();
            bytes.push(0x80 | u8::try_from(digits.len()).unwrap_or(0x7f));
            bytes.extend(digits);
        }
    }
    bytes.extend(value);
    bytes
}

/// Takes bytes with their length before them.
fn field<'a>(rest: &mut &'a [u8]) -> Option<&'a [u8]> {
    let (length, after) = rest.split_first_chunk::<4>()?;
    let length = usize::try_from(u32::from_be_bytes(*length)).ok()?;
    let (field, after) = after.split_at_checked(length)?;
    *rest = after;
    Some(field)
}

/// Writes bytes with their length before them.
fn push(blob: &mut Vec<u8>, field: &[u8]) {
    blob.extend(u32::try_from(field.len()).unwrap_or(u32::MAX).to_be_bytes());
    blob.extend(field);
}

/// The Ed25519 key of a seed, and the file of its private key.
pub(super) fn generate(seed: &str) -> (PublicKey, String) {
    let seed: [u8; 32] = Sha256::digest(seed.as_bytes()).into();
    let signing = SigningKey::from_bytes(&seed);
    let public = signing.verifying_key().to_bytes();
    let key = PublicKey::Ed25519(public);

    let mut secret = Vec::new();
    // Twice the same number shows readers that nothing is encrypted, or that it was decrypted well.
    secret.extend([0; 8]);
    push(&mut secret, ED25519);
    push(&mut secret, &public);
    push(&mut secret, &signing.to_keypair_bytes());
    push(&mut secret, b"");
    let mut padding = 1;
    while secret.len() % 8 != 0 {
        secret.push(padding);
        padding += 1;
    }

    let mut file = b"openssh-key-v1\0".to_vec();
    push(&mut file, b"none");
    push(&mut file, b"none");
    push(&mut file, b"");
    file.extend(1_u32.to_be_bytes());
    push(&mut file, &key.blob());
    push(&mut file, &secret);
    let mut pem = String::from("-----BEGIN OPENSSH PRIVATE KEY-----\n");
    for (at, character) in STANDARD.encode(file).chars().enumerate() {
        if at > 0 && at % 70 == 0 {
            pem.push('\n');
        }
        pem.push(character);
    }
    pem.push_str("\n-----END OPENSSH PRIVATE KEY-----");
    (key, pem)
}
