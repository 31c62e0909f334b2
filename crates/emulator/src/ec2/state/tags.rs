//! Tags of all resources, by their ids.

use std::collections::BTreeMap;

use crate::ec2::call::Call;
use crate::ec2::error::{Ec2Error, Result};
use crate::ec2::params::Fields;
use crate::ec2::xml::Xml;

/// Tags of one resource.
pub(crate) type TagMap = BTreeMap<String, String>;

const MAX_TAGS: usize = 50;
const MAX_KEY: usize = 128;
const MAX_VALUE: usize = 256;

static NONE: TagMap = TagMap::new();

/// Tags by id of the resource.
#[derive(Debug, Clone, Default)]
pub(crate) struct Tags(BTreeMap<String, TagMap>);

impl Tags {
    /// The tags of a resource.
    pub(crate) fn of(&self, id: &str) -> &TagMap {
        self.0.get(id).unwrap_or(&NONE)
    }

    /// Adds tags; those with a key that is there replace it.
    pub(crate) fn add(&mut self, id: &str, tags: &TagMap) -> Result<()> {
        if tags.is_empty() {
            return Ok(());
        }
        self.check(id, tags)?;
        let all = self.0.entry(id.to_owned()).or_default();
        all.extend(tags.iter().map(|(key, value)| (key.clone(), value.clone())));
        Ok(())
    }

    /// Fails if a resource would have too many tags.
    pub(crate) fn check(&self, id: &str, tags: &TagMap) -> Result<()> {
        let known = self.of(id);
        let own = known.keys().filter(|key| !is_reserved(key)).count();
        let new = tags.keys().filter(|key| !known.contains_key(*key)).count();
        if own + new > MAX_TAGS {
            let message = "The maximum number of tags for this resource has been reached.";
            return Err(Ec2Error::new("TagLimitExceeded", message));
        }
        Ok(())
    }

    /// Takes a tag away; with a value only if it has that value.
    pub(crate) fn remove(&mut self, id: &str, key: &str, value: Option<&str>) {
        if let Some(tags) = self.0.get_mut(id)
            && value.is_none_or(|value| tags.get(key).is_some_and(|known| known == value))
        {
            tags.remove(key);
        }
    }

    /// Takes all tags of users away.
    pub(crate) fn clear(&mut self, id: &str) {
        if let Some(tags) = self.0.get_mut(id) {
            tags.retain(|key, _| is_reserved(key));
        }
    }

    /// Forgets a resource that is gone.
    pub(crate) fn forget(&mut self, id: &str) {
        self.0.remove(id);
    }

    /// All resources with tags, by id.
    pub(crate) fn all(&self) -> impl Iterator<Item = (&str, &TagMap)> {
        self.0.iter().map(|(id, tags)| (id.as_str(), tags))
    }

    /// Writes `tagSet`.
    pub(crate) fn write(&self, xml: &mut Xml, id: &str) {
        write(xml, self.of(id));
    }
}

/// Writes `tagSet`.
pub(crate) fn write(xml: &mut Xml, tags: &TagMap) {
    xml.list("tagSet", tags, |xml, (key, value)| {
        xml.text("key", key).text("value", value);
    });
}

/// The tags that a request gives to new resources of a kind, such as `volume`.
pub(crate) fn specified(call: &Call<'_>, kind: &str) -> Result<TagMap> {
    let mut tags = TagMap::new();
    for specification in call.params.structs("TagSpecification") {
        let specified = specification.need("ResourceType")?;
        let given = parse(&specification)?;
        if specified == kind {
            tags.extend(given);
        }
    }
    if tags.len() > MAX_TAGS {
        let message = "The maximum number of tags for this resource has been reached.";
        return Err(Ec2Error::new("TagLimitExceeded", message));
    }
    Ok(tags)
}

/// Refuses tags for resources that the action does not create.
pub(crate) fn check_kinds(call: &Call<'_>, kinds: &[&str]) -> Result<()> {
    for specification in call.params.structs("TagSpecification") {
        let kind = specification.need("ResourceType")?;
        if !kinds.contains(&kind) {
            return Err(Ec2Error::invalid(format!(
                "'{kind}' is not a valid taggable resource type for this operation."
            )));
        }
    }
    Ok(())
}

/// `Tag.1.Key`, `Tag.1.Value`, checked.
pub(crate) fn parse(fields: &Fields<'_>) -> Result<TagMap> {
    let mut tags = TagMap::new();
    for tag in fields.structs("Tag") {
        let key = tag.need("Key")?;
        let value = tag.any_text("Value").unwrap_or_default();
        check_key(key)?;
        if value.chars().count() > MAX_VALUE {
            return Err(Ec2Error::invalid(
                "Tag value exceeds the maximum length of 256 characters",
            ));
        }
        if tags.insert(key.to_owned(), value.to_owned()).is_some() {
            let message = format!("Duplicate tag key '{key}' specified.");
            return Err(Ec2Error::invalid(message));
        }
    }
    Ok(tags)
}

pub(crate) fn check_key(key: &str) -> Result<()> {
    if is_reserved(key) {
        let message = "Tag keys starting with 'aws:' are reserved for internal use";
        return Err(Ec2Error::invalid(message));
    }
    if key.chars().count() > MAX_KEY {
        return Err(Ec2Error::invalid("Tag key exceeds the maximum length of 128 characters"));
    }
    Ok(())
}

fn is_reserved(key: &str) -> bool {
    key.get(..4).is_some_and(|start| start.eq_ignore_ascii_case("aws:"))
}
