//! Tags: those of the user, which are labels, and those of this library.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use aws_sdk_ec2::types::{ResourceType, Tag, TagSpecification};
use polycloud_core::compute::{Labels, Owner};

/// The name that people see.
pub(super) const NAME: &str = "Name";
/// The token of the create that made it.
pub(super) const TOKEN: &str = "polycloud-token";
/// What the create was asked for, hashed.
pub(super) const SPEC: &str = "polycloud-spec";
/// The security group that was made for an instance.
pub(super) const GROUP: &str = "polycloud-group";
/// When it was made, on what EC2 keeps no time of: in seconds since 1970.
pub(super) const CREATED: &str = "polycloud-created";
/// On everything that this library makes.
pub(super) const MANAGED: &str = "polycloud-managed";

/// How many tags of this library an instance has at most: name, owner, token, spec, group and the mark.
pub(super) const OWN: u32 = 6;

/// One tag.
pub(super) fn tag(key: &str, value: &str) -> Tag {
    Tag::builder().key(key).value(value).build()
}

/// The value of a tag.
pub(super) fn value<'a>(tags: &'a [Tag], key: &str) -> Option<&'a str> {
    tags.iter().find(|tag| tag.key() == Some(key)).and_then(Tag::value)
}

/// The user's labels among tags. Those of other tools that no label can be like are left out.
pub(super) fn labels(tags: &[Tag]) -> Labels {
    tags.iter().fold(Labels::new(), |labels, tag| {
        let (key, value) = (tag.key().unwrap_or_default(), tag.value().unwrap_or_default());
        labels.clone().with(key, value).unwrap_or(labels)
    })
}

/// A time as a tag has it.
pub(super) fn time(at: SystemTime) -> String {
    at.duration_since(UNIX_EPOCH).unwrap_or_default().as_secs().to_string()
}

/// When a tag says that it was made.
pub(super) fn created(tags: &[Tag]) -> Option<SystemTime> {
    let seconds = value(tags, CREATED)?.parse().ok()?;
    UNIX_EPOCH.checked_add(Duration::from_secs(seconds))
}

/// The owner, if one is named.
pub(super) fn owner(tags: &[Tag]) -> Option<Owner> {
    value(tags, Owner::LABEL).and_then(|owner| Owner::new(owner).ok())
}

/// The tags of something that is named, and perhaps owned.
pub(super) fn of(name: &str, owner: Option<&Owner>) -> Vec<Tag> {
    let mut tags = vec![tag(NAME, name), tag(MANAGED, "1")];
    tags.extend(owner.map(|owner| tag(Owner::LABEL, owner.as_str())));
    tags
}

/// Puts tags on what a request makes.
pub(super) fn specification(kind: ResourceType, tags: Vec<Tag>) -> TagSpecification {
    TagSpecification::builder().resource_type(kind).set_tags(Some(tags)).build()
}
