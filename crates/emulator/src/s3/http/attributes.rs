//! `GetObjectAttributes`.

use super::context::Context;
use super::reply;
use super::xml::Xml;
use crate::http::Response;
use crate::s3::state::S3State;
use crate::s3::state::error::{Result, S3Error};
use crate::s3::state::object::Object;
use crate::s3::time;

const NAMES: [&str; 5] = ["ETag", "Checksum", "ObjectParts", "StorageClass", "ObjectSize"];

pub(super) fn get(state: &S3State, context: &Context<'_>) -> Result<Response> {
    let found = state.read(context.bucket, context.key, context.version()?)?;
    let values = context.request.headers.get_all("x-amz-object-attributes");
    let wanted = values.iter().filter_map(|value| value.to_str().ok());
    let wanted = wanted.flat_map(|value| value.split(',').map(str::trim)).collect::<Vec<_>>();
    if wanted.is_empty() || wanted.iter().any(|name| !NAMES.contains(name)) {
        let message = "Invalid attribute name specified.";
        let given = wanted.join(",");
        return Err(S3Error::invalid_argument(message, "x-amz-object-attributes", &given));
    }
    let object = found.object;
    let mut xml = Xml::document("GetObjectAttributesResponse");
    if wanted.contains(&"ETag") {
        xml.text("ETag", &object.etag);
    }
    if let Some(checksum) = object.checksum.as_ref().filter(|_| wanted.contains(&"Checksum")) {
        xml.open("Checksum");
        // Here the number of parts is not part of the value.
        let value =
            checksum.value.split_once('-').map_or(checksum.value.as_str(), |(bare, _)| bare);
        xml.text(checksum.algorithm.element(), value);
        xml.text("ChecksumType", checksum.kind.name());
        xml.close("Checksum");
    }
    if wanted.contains(&"ObjectParts") && !object.parts.is_empty() {
        write_parts(&mut xml, object, context)?;
    }
    if wanted.contains(&"StorageClass") {
        xml.text("StorageClass", object.storage_class.name());
    }
    if wanted.contains(&"ObjectSize") {
        xml.number("ObjectSize", object.content.len());
    }
    let mut response = reply::xml(xml);
    reply::set(&mut response, "last-modified", &time::http_date(found.version.modified));
    if let Some(version) = &found.version_id {
        reply::set(&mut response, "x-amz-version-id", version);
    }
    Ok(response)
}

fn write_parts(xml: &mut Xml, object: &Object, context: &Context<'_>) -> Result<()> {
    let number = |name: &str, default: usize| match context.header(name) {
        None => Ok(default),
        Some(text) => text.parse::<usize>().map_err(|_| {
            let message = format!("Provided {name} not an integer or within integer range");
            S3Error::invalid_argument(message, name, text)
        }),
    };
    let limit = number("x-amz-max-parts", 1000)?.min(1000);
    let marker = number("x-amz-part-number-marker", 0)?;
    xml.open("ObjectParts");
    xml.number("PartsCount", object.parts.len());
    // The parts themselves are told only of uploads with a checksum.
    if object.parts.iter().any(|part| part.checksum.is_some()) {
        let behind = object.parts.iter().filter(|part| usize::from(part.number) > marker);
        let shown = behind.clone().take(limit).collect::<Vec<_>>();
        let next = shown.last().map_or(marker, |part| usize::from(part.number));
        xml.number("PartNumberMarker", marker);
        xml.number("NextPartNumberMarker", next);
        xml.number("MaxParts", limit);
        xml.boolean("IsTruncated", behind.count() > shown.len());
        for part in shown {
            xml.open("Part");
            xml.number("PartNumber", part.number);
            xml.number("Size", part.size);
            if let Some(checksum) = &part.checksum {
                xml.text(checksum.algorithm.element(), &checksum.value);
            }
            xml.close("Part");
        }
    }
    xml.close("ObjectParts");
    Ok(())
}
