//! What an instance is given to run or read, with the keys that may log in.

use polycloud_core::compute::{InstanceSpec, PublicKey, UserData};
use polycloud_core::{Error, Result};
use polycloud_wire::encode;
use serde_json::json;
use sha2::{Digest as _, Sha256};

use super::capabilities::USER_DATA;
use super::plan::hex;

/// Longest line of a part that is sent as it is.
const LINE: usize = 900;

/// The user data in base64, if there is any.
///
/// A key that is not left to a key pair is told to cloud-init, beside what the user sends.
pub(super) fn compose(spec: &InstanceSpec) -> Result<Option<String>> {
    let own = spec.user_data.as_ref().map(UserData::as_bytes);
    let whole = match (own, cloud_config(spec)) {
        (None, None) => return Ok(None),
        (Some(own), None) => own.to_vec(),
        (None, Some(config)) => config.into_bytes(),
        (Some(own), Some(config)) => multipart(own, config.as_bytes()),
    };
    if whole.len() as u64 > USER_DATA {
        return Err(Error::invalid(format!(
            "user data has at most {USER_DATA} bytes, keys included; this has {}",
            whole.len()
        )));
    }
    let mut text = String::new();
    encode::base64(&whole, &mut text);
    Ok(Some(text))
}

/// The key that a key pair can carry: the only one, for the image's own user.
pub(super) fn paired_key(spec: &InstanceSpec) -> Option<&PublicKey> {
    match (spec.ssh_keys.as_slice(), &spec.login_user) {
        ([key], None) => Some(key),
        _ => None,
    }
}

/// What cloud-init is to do about keys. JSON is YAML, too.
fn cloud_config(spec: &InstanceSpec) -> Option<String> {
    if paired_key(spec).is_some() || (spec.ssh_keys.is_empty() && spec.login_user.is_none()) {
        return None;
    }
    let keys: Vec<_> = spec.ssh_keys.iter().map(PublicKey::as_str).collect();
    let config = match &spec.login_user {
        None => json!({ "ssh_authorized_keys": keys }),
        Some(user) => json!({ "users": [ "default", {
            "name": user,
            "lock_passwd": true,
            "shell": "/bin/bash",
            "ssh_authorized_keys": keys,
            "sudo": "ALL=(ALL) NOPASSWD:ALL",
        } ] }),
    };
    Some(format!("#cloud-config\n{config}\n"))
}

/// Both in one, for cloud-init.
fn multipart(own: &[u8], config: &[u8]) -> Vec<u8> {
    let mut hash = Sha256::new();
    hash.update(own);
    hash.update(config);
    // It cannot be in what it is the hash of.
    let boundary = format!("=={}==", hex(hash.finalize().get(..12).unwrap_or_default()));
    let mut text = Vec::with_capacity(own.len() + config.len() + 512);
    text.extend_from_slice(
        format!("MIME-Version: 1.0\nContent-Type: multipart/mixed; boundary=\"{boundary}\"\n\n")
            .as_bytes(),
    );
    // Keys are added to those that the user's own part may name.
    let merge = "Merge-Type: list(append)+dict(no_replace,recurse_list)+str()\n";
    for (kind, more, part) in [(kind(own), "", own), ("text/cloud-config", merge, config)] {
        let plain = is_plain(part);
        let encoding = if plain { "7bit" } else { "base64" };
        let head = format!(
            "--{boundary}\nContent-Type: {kind}\n{more}Content-Transfer-Encoding: {encoding}\n\n"
        );
        text.extend_from_slice(head.as_bytes());
        if plain {
            text.extend_from_slice(part);
        } else {
            let mut encoded = String::new();
            encode::base64(part, &mut encoded);
            for line in encoded.as_bytes().chunks(76) {
                text.extend_from_slice(line);
                text.push(b'\n');
            }
        }
        text.push(b'\n');
    }
    text.extend_from_slice(format!("--{boundary}--\n").as_bytes());
    text
}

/// Whether a part arrives as it is sent.
fn is_plain(part: &[u8]) -> bool {
    let printable = |byte: &u8| matches!(byte, b'\n' | b'\t' | b' '..=b'~');
    part.iter().all(printable) && part.split(|byte| *byte == b'\n').all(|line| line.len() <= LINE)
}

/// The type of a part, which cloud-init tells by its beginning; it looks itself at what is `text/plain`.
fn kind(part: &[u8]) -> &'static str {
    const KINDS: [(&[u8], &str); 4] = [
        (b"#!", "text/x-shellscript"),
        (b"#cloud-config", "text/cloud-config"),
        (b"#include", "text/x-include-url"),
        (b"#cloud-boothook", "text/cloud-boothook"),
    ];
    KINDS.iter().find(|(begin, _)| part.starts_with(begin)).map_or("text/plain", |(_, kind)| kind)
}

#[cfg(test)]
mod tests {
    use base64::Engine as _;
    use base64::engine::general_purpose::STANDARD;
    use polycloud_core::compute::InstanceName;

    use super::*;

    fn spec() -> InstanceSpec {
        InstanceSpec::new(InstanceName::new("a").unwrap())
    }

    fn key(comment: &str) -> PublicKey {
        PublicKey::new(format!("ssh-ed25519 {} {comment}", "A".repeat(68))).unwrap()
    }

    fn composed(spec: &InstanceSpec) -> Option<Vec<u8>> {
        compose(spec).unwrap().map(|text| STANDARD.decode(text).unwrap())
    }

    #[test]
    fn what_needs_no_words_has_none() {
        assert_eq!(composed(&spec()), None);
        assert_eq!(composed(&spec().with_ssh_key(key("me"))), None);
        let script = b"#!/bin/sh\necho \xc3\xa4\r\n\0".to_vec();
        let sent = composed(&spec().with_user_data(script.clone()).with_ssh_key(key("me")));
        assert_eq!(sent, Some(script));
    }

    #[test]
    fn keys_that_no_pair_carries_are_told_to_cloud_init() {
        let two = spec().with_ssh_key(key("me")).with_ssh_key(key("you"));
        let config = String::from_utf8(composed(&two).unwrap()).unwrap();
        let json = config.strip_prefix("#cloud-config\n").unwrap();
        let json: serde_json::Value = serde_json::from_str(json).unwrap();
        assert_eq!(json["ssh_authorized_keys"][1], key("you").as_str());
        let mut named = spec().with_ssh_key(key("me"));
        named.login_user = Some("ops\" x: [".into());
        let config = String::from_utf8(composed(&named).unwrap()).unwrap();
        let json: serde_json::Value =
            serde_json::from_str(config.strip_prefix("#cloud-config\n").unwrap()).unwrap();
        assert_eq!(json["users"][1]["name"], "ops\" x: [");
    }

    #[test]
    fn a_script_beside_keys_is_a_part() {
        let keys = spec().with_ssh_key(key("me")).with_ssh_key(key("you"));
        let sent = composed(&keys.clone().with_user_data("#!/bin/sh\necho hello\n")).unwrap();
        let sent = String::from_utf8(sent).unwrap();
        assert!(sent.starts_with("MIME-Version: 1.0\nContent-Type: multipart/mixed;"), "{sent}");
        assert!(
            sent.contains("text/x-shellscript\nContent-Transfer-Encoding: 7bit\n\n#!/bin/sh\n")
        );
        assert!(sent.contains("Content-Type: text/cloud-config\nMerge-Type: list(append)"));
        assert_eq!(sent.matches("\n--==").count(), 3, "{sent}");
        for hostile in [&b"#!/bin/sh\r\necho"[..], b"#!/bin/sh\n\xff", "x".repeat(2000).as_bytes()]
        {
            let sent = composed(&keys.clone().with_user_data(hostile.to_vec())).unwrap();
            let sent = String::from_utf8(sent).unwrap();
            let encoded = sent.split("base64\n\n").nth(1).unwrap().split("\n\n").next().unwrap();
            assert_eq!(STANDARD.decode(encoded.replace('\n', "")).unwrap(), hostile);
        }
    }

    #[test]
    fn too_much_is_refused_without_being_repeated() {
        let most = usize::try_from(USER_DATA).unwrap();
        assert!(compose(&spec().with_user_data("s".repeat(most))).is_ok());
        let error = compose(&spec().with_user_data("s".repeat(most + 1))).unwrap_err();
        assert!(!error.to_string().contains("ssss"), "{error}");
        let keys = spec().with_ssh_key(key("me")).with_ssh_key(key("you"));
        assert!(compose(&keys.with_user_data("s".repeat(most))).is_err());
    }
}
