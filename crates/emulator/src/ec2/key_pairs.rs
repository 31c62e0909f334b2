//! Key pairs.

mod openssh;

use std::time::SystemTime;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use self::openssh::PublicKey;
use super::call::{Actions, Call};
use super::error::{Ec2Error, Result};
use super::select::select;
use super::state::Region;
use super::state::tags::{check_kinds, specified};
use super::xml::Xml;

pub(crate) const ACTIONS: Actions = &[
    ("ImportKeyPair", import_key_pair),
    ("CreateKeyPair", create_key_pair),
    ("DescribeKeyPairs", describe_key_pairs),
    ("DeleteKeyPair", delete_key_pair),
];

/// A key pair, of which the service keeps the public key.
#[derive(Debug, Clone)]
pub(crate) struct KeyPair {
    pub(crate) id: String,
    pub(crate) name: String,
    pub(crate) fingerprint: String,
    pub(crate) public_key: String,
    pub(crate) created: SystemTime,
}

impl KeyPair {
    fn kind(&self) -> &'static str {
        if self.public_key.starts_with("ssh-rsa ") { "rsa" } else { "ed25519" }
    }
}

/// The name of a new pair.
fn new_name<'a>(region: &Region, call: &Call<'a>) -> Result<&'a str> {
    let name = call.params.need("KeyName")?;
    if name.len() > 255 || !name.is_ascii() || name.trim() != name {
        return Err(Ec2Error::invalid_value("keyName", name));
    }
    if region.key_pairs.values().any(|pair| pair.name == name) {
        let message = format!("The keypair '{name}' already exists.");
        return Err(Ec2Error::new("InvalidKeyPair.Duplicate", message));
    }
    Ok(name)
}

fn import_key_pair(region: &mut Region, call: &Call<'_>) -> Result<Xml> {
    check_kinds(call, &["key-pair"])?;
    let tags = specified(call, "key-pair")?;
    let material = call.params.need("PublicKeyMaterial")?;
    let key = STANDARD.decode(material).ok().and_then(|text| PublicKey::parse(&text));
    let Some(key) = key else {
        let message = "Key is not in valid OpenSSH public key format";
        return Err(Ec2Error::new("InvalidKey.Format", message));
    };
    let name = new_name(region, call)?;
    call.dry_run()?;
    let id = region.new_id("key");
    let pair = KeyPair {
        id: id.clone(),
        name: name.to_owned(),
        fingerprint: key.fingerprint(),
        public_key: key.line(name),
        created: call.now,
    };
    region.tags.add(&id, &tags)?;
    Ok(add(region, call, pair, None))
}

/// Makes a pair. As all ids here, the keys are the same in every run, and so they protect nothing.
fn create_key_pair(region: &mut Region, call: &Call<'_>) -> Result<Xml> {
    check_kinds(call, &["key-pair"])?;
    let tags = specified(call, "key-pair")?;
    match call.params.text("KeyType") {
        // Where no type is wanted, one that can be had is as good.
        None | Some("ed25519") => {}
        Some("rsa") => {
            let message =
                "The emulator makes keys of type ed25519 only. Keys of type rsa can be imported.";
            return Err(Ec2Error::new("Unsupported", message));
        }
        Some(other) => return Err(Ec2Error::invalid_value("keyType", other)),
    }
    match call.params.text("KeyFormat") {
        None | Some("pem") => {}
        Some("ppk") => {
            let message = "The emulator tells private keys in the format pem only.";
            return Err(Ec2Error::new("Unsupported", message));
        }
        Some(other) => return Err(Ec2Error::invalid_value("keyFormat", other)),
    }
    let name = new_name(region, call)?;
    call.dry_run()?;
    let id = region.new_id("key");
    let (key, material) = openssh::generate(&format!("{} {} {id}", region.account, region.name));
    let pair = KeyPair {
        id: id.clone(),
        name: name.to_owned(),
        fingerprint: key.fingerprint(),
        public_key: key.line(name),
        created: call.now,
    };
    region.tags.add(&id, &tags)?;
    Ok(add(region, call, pair, Some(&material)))
}

fn add(region: &mut Region, call: &Call<'_>, pair: KeyPair, material: Option<&str>) -> Xml {
    let mut xml = Xml::new();
    xml.text("keyName", &pair.name)
        .text("keyFingerprint", &pair.fingerprint)
        .optional("keyMaterial", material)
        .text("keyPairId", &pair.id);
    region.tags.write(&mut xml, &pair.id);
    region.created(&pair.id, call);
    region.key_pairs.insert(pair.id.clone(), pair);
    xml
}

fn delete_key_pair(region: &mut Region, call: &Call<'_>) -> Result<Xml> {
    let (name, id) = (call.params.text("KeyName"), call.params.text("KeyPairId"));
    if name.is_none() && id.is_none() {
        return Err(Ec2Error::missing("KeyName or KeyPairId"));
    }
    let mut pairs = region.key_pairs.values();
    let found = pairs.find(|pair| match name {
        Some(name) => pair.name == name && id.is_none_or(|id| pair.id == id),
        None => Some(pair.id.as_str()) == id,
    });
    let found = found.map(|pair| pair.id.clone());
    call.dry_run()?;
    let mut xml = Xml::success();
    // What is not there is as good as deleted.
    if let Some(id) = found {
        region.key_pairs.remove(&id);
        region.tags.forget(&id);
        xml.text("keyPairId", &id);
    }
    Ok(xml)
}

fn missing(what: &str) -> Ec2Error {
    Ec2Error::new("InvalidKeyPair.NotFound", format!("The key pair '{what}' does not exist"))
}

fn describe_key_pairs(region: &mut Region, call: &Call<'_>) -> Result<Xml> {
    let filters = call.filters(&["fingerprint", "key-name", "key-pair-id", "key-type"])?;
    let with_keys = call.params.flag("IncludePublicKey")?.unwrap_or(false);
    let mut ids = call.params.list("KeyPairId");
    for name in call.params.list("KeyName") {
        let pair = region.key_pairs.values().find(|pair| pair.name == name);
        ids.push(pair.map(|pair| pair.id.as_str()).ok_or_else(|| missing(name))?);
    }
    let mut pairs = select(region, call, &region.key_pairs, &ids, missing)?;
    call.dry_run()?;
    pairs.retain(|pair| {
        filters.pass(region.tags.of(&pair.id), |field| match field {
            "fingerprint" => vec![pair.fingerprint.clone()],
            "key-name" => vec![pair.name.clone()],
            "key-type" => vec![pair.kind().to_owned()],
            _ => vec![pair.id.clone()],
        })
    });
    pairs.sort_by_key(|pair| &pair.name);
    let mut xml = Xml::new();
    xml.list("keySet", pairs, |xml, pair| {
        xml.text("keyPairId", &pair.id)
            .text("keyName", &pair.name)
            .text("keyFingerprint", &pair.fingerprint)
            .text("keyType", pair.kind())
            .time("createTime", pair.created)
            .optional("publicKey", with_keys.then_some(pair.public_key.as_str()));
        region.tags.write(xml, &pair.id);
    });
    Ok(xml)
}

#[cfg(test)]
mod tests;
