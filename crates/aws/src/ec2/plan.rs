//! What a create is going to ask for, decided before anything is made.

use aws_sdk_ec2::types as sdk;
use polycloud_core::clock::Random;
use polycloud_core::compute::{
    Count, CreateOptions, IdempotencyToken, InstanceName, InstanceSpec, Owner, UserData,
};
use polycloud_core::{Error, Result};
use sha2::{Digest as _, Sha256};

use super::tags;

/// A create: what was asked for, and by which token it is found again.
#[derive(Debug)]
pub(super) struct Request<'a> {
    pub(super) spec: &'a InstanceSpec,
    pub(super) count: Count,
    pub(super) owner: Option<&'a Owner>,
    /// In characters that a tag may have.
    pub(super) token: String,
    /// Whether the caller may come with the token again.
    pub(super) is_given: bool,
    /// The hash of all that was asked for.
    pub(super) digest: String,
    /// The names of the instances.
    pub(super) names: Vec<InstanceName>,
}

impl<'a> Request<'a> {
    pub(super) fn new(
        spec: &'a InstanceSpec,
        count: Count,
        options: &'a CreateOptions,
        random: &dyn Random,
    ) -> Result<Self> {
        let given = options.token.as_ref().map(tag_text);
        let is_given = given.is_some();
        let token = given
            .unwrap_or_else(|| format!("{:016x}{:016x}", random.next_u64(), random.next_u64()));
        Ok(Self {
            spec,
            count,
            owner: options.owner.as_ref(),
            digest: digest(&token, spec, count, options.owner.as_ref()),
            is_given,
            token,
            names: names(&spec.name, count)?,
        })
    }

    /// The name of what is made for the instances, beside them.
    pub(super) fn child_name(&self) -> String {
        let mut short = hex(&Sha256::digest(self.token.as_bytes()));
        short.truncate(8);
        format!("polycloud-{}-{short}", self.spec.name)
    }

    /// The token for EC2. Where instances of an earlier attempt were removed again, EC2 remembers theirs.
    pub(super) fn client_token(&self, attempt: u32) -> String {
        if attempt == 0 {
            return self.token.clone();
        }
        let mut hash = Sha256::new();
        hash.update(self.token.as_bytes());
        hash.update(attempt.to_be_bytes());
        short_hex(&hash.finalize())
    }

    /// Whether an instance was launched for exactly this.
    pub(super) fn launched(&self, instance: &sdk::Instance) -> bool {
        tags::value(instance.tags(), tags::SPEC) == Some(&self.digest)
    }
}

fn names(name: &InstanceName, count: Count) -> Result<Vec<InstanceName>> {
    if count.max() == 1 {
        return Ok(vec![name.clone()]);
    }
    (0..count.max())
        .map(|n| {
            InstanceName::new(format!("{name}-{n}"))
                .map_err(|_| Error::invalid(format!("the name {name} has no room for -{n}")))
        })
        .collect()
}

/// The token in characters that every tag may have.
fn tag_text(token: &IdempotencyToken) -> String {
    let plain = |b: u8| b.is_ascii_alphanumeric() || b"+-=._:/@".contains(&b);
    let text = token.as_str();
    // Those that begin like a token of Amazon's are refused.
    if text.bytes().all(plain) && !text.starts_with("aws:") {
        return text.to_owned();
    }
    short_hex(&Sha256::digest(text.as_bytes()))
}

/// Salted by the token, so that nothing can be learnt from it about short secrets in the user data.
fn digest(token: &str, spec: &InstanceSpec, count: Count, owner: Option<&Owner>) -> String {
    let mut hash = Sha256::new();
    for part in [
        token.as_bytes(),
        format!("{spec:?} {count:?} {owner:?}").as_bytes(),
        spec.user_data.as_ref().map(UserData::as_bytes).unwrap_or_default(),
    ] {
        hash.update(u64::try_from(part.len()).unwrap_or(u64::MAX).to_be_bytes());
        hash.update(part);
    }
    short_hex(&hash.finalize())
}

/// The first 16 bytes, as digits.
fn short_hex(bytes: &[u8]) -> String {
    hex(bytes.get(..16).unwrap_or(bytes))
}

/// Bytes as hexadecimal digits.
pub(super) fn hex(bytes: &[u8]) -> String {
    use std::fmt::Write as _;
    bytes.iter().fold(String::with_capacity(bytes.len() * 2), |mut text, byte| {
        // Writing to a string does not fail.
        let _ = write!(text, "{byte:02x}");
        text
    })
}

#[cfg(test)]
mod tests {
    use polycloud_core::clock::SeededRandom;

    use super::*;

    fn spec(name: &str) -> InstanceSpec {
        InstanceSpec::new(InstanceName::new(name).unwrap())
    }

    fn with_token(token: &str) -> CreateOptions {
        CreateOptions::default().with_token(IdempotencyToken::new(token).unwrap())
    }

    #[test]
    fn tokens_are_tags_and_client_tokens() {
        let (spec, random) = (spec("a"), SeededRandom::new(1));
        let one = Count::exactly(1).unwrap();
        for (given, kept) in [("job-7/web:1", true), ("a?b", false), ("aws:x", false)] {
            let options = with_token(given);
            let request = Request::new(&spec, one, &options, &random).unwrap();
            assert_eq!(request.token == given, kept, "{given}");
            assert!(request.is_given && request.token.len() <= 64);
            assert_eq!(request.client_token(0), request.token);
            assert_ne!(request.client_token(1), request.client_token(2));
            assert_eq!(request.client_token(1).len(), 32);
        }
        let options = CreateOptions::default();
        let first = Request::new(&spec, one, &options, &random).unwrap();
        let second = Request::new(&spec, one, &options, &random).unwrap();
        assert!(!first.is_given && first.token != second.token);
        assert_ne!(first.child_name(), second.child_name());
    }

    #[test]
    fn the_digest_tells_specs_apart() {
        let random = SeededRandom::new(1);
        let digest = |spec: &InstanceSpec, count: u32, options: &CreateOptions| {
            let count = Count::exactly(count).unwrap();
            Request::new(spec, count, options, &random).unwrap().digest
        };
        let (plain, options) = (spec("a"), with_token("t"));
        let same = digest(&plain, 1, &options);
        assert_eq!(same, digest(&spec("a"), 1, &options));
        let secret = plain.clone().with_user_data("TOKEN=cafe");
        let other_secret = plain.clone().with_user_data("TOKEN=face");
        let owned = with_token("t").with_owner(Owner::new("me").unwrap());
        let all = [
            same,
            digest(&spec("b"), 1, &options),
            digest(&plain, 2, &options),
            digest(&secret, 1, &options),
            digest(&other_secret, 1, &options),
            digest(&plain, 1, &with_token("u")),
            digest(&plain, 1, &owned),
        ];
        let different: std::collections::BTreeSet<_> = all.iter().collect();
        assert_eq!(different.len(), all.len());
    }

    #[test]
    fn several_have_numbers() {
        let (options, random) = (CreateOptions::default(), SeededRandom::new(1));
        let name = "x".repeat(61);
        let spec = spec(&name);
        let names = |count| {
            let request = Request::new(&spec, count, &options, &random)?;
            Ok::<_, Error>(request.names.iter().map(ToString::to_string).collect::<Vec<_>>())
        };
        assert_eq!(names(Count::exactly(1).unwrap()).unwrap(), std::slice::from_ref(&name));
        let two = names(Count::new(1, 2).unwrap()).unwrap();
        assert_eq!(two, [format!("{name}-0"), format!("{name}-1")]);
        assert!(names(Count::new(1, 11).unwrap()).is_err());
    }
}
