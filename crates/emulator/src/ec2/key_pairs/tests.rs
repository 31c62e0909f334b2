use super::*;
use crate::ec2::select::testing::{ask, check_filters, code, region, text};

const ED25519: &str =
    "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIA67Mk/m+vmc6j1J+sqKK/sIjbMdDEqOSPfeBJC4v0F9 me@host";
/// As `ssh-keygen -l` tells it, with padding.
const ED25519_FINGERPRINT: &str = "m7nCmp6idXshpiVvCeNNL69CbApUkzX9Cw2u2gq44dI=";
const RSA: &str = "ssh-rsa AAAAB3NzaC1yc2EAAAADAQABAAAAgQDFqG2pX3VQ6Haxh58JnLcxhP/fdpVcPNoCQajScCc+pg3u\
    +UusqoVs8PBaIQCjct+R+Lc/UqyEfmrN62zm/1v1z9k3lzZ9TDKozDyEruQxiKv6UwlKv6d1Q1Wtng3kWNDH0mfnJyB4iNNGuA/\
    O4nzpv39luARNTDApPAzsqVLINQ== me@host";
/// As `openssl md5 -c` tells it of the key in DER.
const RSA_FINGERPRINT: &str = "b1:f8:1b:13:53:86:30:06:6a:5a:d8:4e:fa:5e:b4:a9";

fn import(region: &mut Region, name: &str, key: &str) -> Result<String> {
    let material = STANDARD.encode(key);
    let pairs = [
        ("KeyName", name),
        ("PublicKeyMaterial", material.as_str()),
        ("TagSpecification.1.ResourceType", "key-pair"),
        ("TagSpecification.1.Tag.1.Key", "for"),
        ("TagSpecification.1.Tag.1.Value", name),
    ];
    ask(region, "ImportKeyPair", 0, &pairs)
}

#[test]
fn fingerprints_of_imported_keys() {
    let mut region = region();
    let xml = import(&mut region, "ed", ED25519).unwrap();
    assert_eq!(text(&xml, "keyFingerprint"), ED25519_FINGERPRINT);
    assert!(text(&xml, "tagSet").contains("<value>ed</value>"));
    let xml = import(&mut region, "rsa", RSA).unwrap();
    assert_eq!(text(&xml, "keyFingerprint"), RSA_FINGERPRINT);
    let told = ask(&mut region, "DescribeKeyPairs", 0, &[("KeyName.1", "rsa")]).unwrap();
    assert_eq!(text(&told, "keyType"), "rsa");
    assert!(!told.contains("<publicKey>"));
    let pairs = [("KeyName.1", "ed"), ("IncludePublicKey", "true")];
    let told = ask(&mut region, "DescribeKeyPairs", 0, &pairs).unwrap();
    assert_eq!(text(&told, "publicKey"), ED25519.replace("me@host", "ed"));
}

#[test]
fn keys_that_are_none() {
    let mut region = region();
    for key in [
        "",
        "ssh-ed25519",
        "ssh-ed25519 AAAA",
        "ssh-rsa AAAAC3NzaC1lZDI1NTE5AAAAIA67Mk/m+vmc6j1J+sqKK/sIjbMdDEqOSPfeBJC4v0F9",
        "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIA67Mk/m+vmc6j1J+sqKK/sIjbMdDEqOSPfeBJC4v0E",
        "ecdsa-sha2-nistp256 AAAAE2VjZHNhLXNoYTItbmlzdHAyNTY=",
        "-----BEGIN RSA PUBLIC KEY-----",
    ] {
        let expected = if key.is_empty() { "MissingParameter" } else { "InvalidKey.Format" };
        assert_eq!(code(import(&mut region, "k", key)), expected, "{key}");
    }
    let raw = [("KeyName", "k"), ("PublicKeyMaterial", "not base64")];
    assert_eq!(code(ask(&mut region, "ImportKeyPair", 0, &raw)), "InvalidKey.Format");
    import(&mut region, "k", ED25519).unwrap();
    assert_eq!(code(import(&mut region, "k", RSA)), "InvalidKeyPair.Duplicate");
    assert_eq!(code(import(&mut region, " k", RSA)), "InvalidParameterValue");
}

#[test]
fn pairs_are_made() {
    let mut region = region();
    let xml = ask(&mut region, "CreateKeyPair", 0, &[("KeyName", "own")]).unwrap();
    let material = text(&xml, "keyMaterial");
    let inner = material.strip_prefix("-----BEGIN OPENSSH PRIVATE KEY-----\n").unwrap();
    let inner = inner.strip_suffix("\n-----END OPENSSH PRIVATE KEY-----").unwrap();
    let file = STANDARD.decode(inner.replace('\n', "")).unwrap();
    assert!(file.starts_with(b"openssh-key-v1\0"));
    let pair = region.key_pairs.values().next().unwrap();
    let blob = STANDARD.decode(pair.public_key.split(' ').nth(1).unwrap()).unwrap();
    // The public key is in the file by itself and before the private one.
    assert_eq!(file.windows(blob.len()).filter(|window| *window == blob).count(), 2);
    assert_eq!(text(&xml, "keyFingerprint"), pair.fingerprint);
    let line = pair.public_key.clone();
    let imported = import(&mut region, "copy", &line).unwrap();
    assert_eq!(text(&imported, "keyFingerprint"), text(&xml, "keyFingerprint"));
    for (name, value, expected) in [
        ("KeyType", "rsa", "Unsupported"),
        ("KeyType", "dsa", "InvalidParameterValue"),
        ("KeyFormat", "ppk", "Unsupported"),
        ("KeyFormat", "jwk", "InvalidParameterValue"),
        ("DryRun", "true", "DryRunOperation"),
    ] {
        let made = ask(&mut region, "CreateKeyPair", 0, &[("KeyName", "new"), (name, value)]);
        assert_eq!(code(made), expected, "{name} {value}");
    }
    let twice = ask(&mut region, "CreateKeyPair", 0, &[("KeyName", "own"), ("KeyType", "ed25519")]);
    assert_eq!(code(twice), "InvalidKeyPair.Duplicate");
}

#[test]
#[cfg(unix)]
fn openssh_reads_what_is_made() {
    use std::os::unix::fs::PermissionsExt as _;

    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("key");
    let (key, material) = openssh::generate("a seed");
    std::fs::write(&path, material + "\n").unwrap();
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o600)).unwrap();
    let read = std::process::Command::new("ssh-keygen").arg("-y").arg("-f").arg(&path).output();
    // Machines without OpenSSH have nothing to compare with.
    if let Ok(read) = read {
        let line = String::from_utf8(read.stdout).unwrap();
        assert_eq!(line.trim(), key.line("").trim(), "{}", String::from_utf8_lossy(&read.stderr));
    }
}

#[test]
fn deleting_twice_is_fine() {
    let mut region = region();
    let xml = import(&mut region, "ed", ED25519).unwrap();
    let id = text(&xml, "keyPairId").to_owned();
    let deleted = ask(&mut region, "DeleteKeyPair", 0, &[("KeyName", "ed")]).unwrap();
    assert_eq!(text(&deleted, "keyPairId"), id);
    let again = ask(&mut region, "DeleteKeyPair", 0, &[("KeyPairId", &id)]).unwrap();
    assert_eq!(again, "<return>true</return>");
    assert_eq!(code(ask(&mut region, "DeleteKeyPair", 0, &[])), "MissingParameter");
    let gone = ask(&mut region, "DescribeKeyPairs", 5, &[("KeyName.1", "ed")]);
    assert_eq!(code(gone), "InvalidKeyPair.NotFound");
    let gone = ask(&mut region, "DescribeKeyPairs", 5, &[("KeyPairId.1", &id)]);
    assert_eq!(code(gone), "InvalidKeyPair.NotFound");
    assert_eq!(region.tags.of(&id).len(), 0);
}

#[test]
fn filters() {
    let mut region = region();
    let xml = import(&mut region, "ed", ED25519).unwrap();
    import(&mut region, "rsa", RSA).unwrap();
    let early = ask(&mut region, "DescribeKeyPairs", 0, &[]).unwrap();
    assert_eq!(early, "<keySet></keySet>");
    check_filters(
        &mut region,
        "DescribeKeyPairs",
        5,
        "keyPairId",
        &[
            ("key-name", "e?", "x*"),
            ("key-pair-id", text(&xml, "keyPairId"), "key-1"),
            ("fingerprint", RSA_FINGERPRINT, "x"),
            ("key-type", "rsa", "dsa"),
            ("tag:for", "ed", "dsa"),
        ],
    );
}
