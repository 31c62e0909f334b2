//! Tags, which are a resource of their own.

use bytes::Bytes;
use http::Method;
use polycloud_core::object::{Key, Tags, VersionId};
use polycloud_core::{Error, ErrorKind, Result};
use polycloud_wire::xml::{Event, Reader, Writer};
use polycloud_wire::{Call, Class, Failure, Reply};

use super::{DOCUMENT, NO_BODY, S3Store};

impl S3Store {
    pub(super) async fn tags(&self, key: &Key, version: Option<&VersionId>) -> Result<Tags> {
        let make =
            || self.request(Method::GET, Some(key)).query("tagging", "").version(version).empty();
        let call = Call { operation: "get_tags", class: Class::Read, make: &make };
        let Reply { body, .. } = self.0.wire.send(call, DOCUMENT).await.map_err(hidden)?;
        parse_tags(&body)
    }

    pub(super) async fn set_tags(&self, key: &Key, tags: &Tags) -> Result<()> {
        let body = write_tags(tags)?;
        let make =
            || self.request(Method::PUT, Some(key)).query("tagging", "").document(body.clone());
        let call = Call { operation: "set_tags", class: Class::Idempotent, make: &make };
        self.0.wire.send(call, NO_BODY).await.map_err(hidden)?;
        Ok(())
    }
}

/// A delete marker has no tags, which some services say by refusing the method.
fn hidden(failure: Failure) -> Error {
    let error = Error::from(failure);
    if error.status() == Some(405) { error.with_kind(ErrorKind::NotFound) } else { error }
}

fn write_tags(tags: &Tags) -> Result<Bytes> {
    let mut xml = Writer::new();
    xml.start("Tagging");
    xml.start("TagSet");
    for (key, value) in tags.iter() {
        xml.start("Tag");
        xml.leaf("Key", key)?;
        xml.leaf("Value", value)?;
        xml.end("Tag");
    }
    xml.end("TagSet");
    xml.end("Tagging");
    Ok(xml.finish().into())
}

fn parse_tags(body: &[u8]) -> Result<Tags> {
    let (mut tags, mut key, mut value) = (Tags::new(), String::new(), String::new());
    let mut reader = Reader::new(body);
    while let Some(event) = reader.next()? {
        match event {
            Event::Leaf("Key", text) => key = text.into_owned(),
            Event::Leaf("Value", text) => value = text.into_owned(),
            Event::End("Tag") => {
                // One that is no tag of ours does not hide the others.
                let tag = (std::mem::take(&mut key), std::mem::take(&mut value));
                tags = tags.clone().with(tag.0, tag.1).unwrap_or(tags);
            }
            _ => {}
        }
    }
    Ok(tags)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tags_go_there_and_back() {
        let tags = Tags::new().with("a", "1 + 2").unwrap().with("b", "").unwrap();
        assert_eq!(parse_tags(&write_tags(&tags).unwrap()).unwrap(), tags);
        assert_eq!(parse_tags(&write_tags(&Tags::new()).unwrap()).unwrap(), Tags::new());
    }
}
