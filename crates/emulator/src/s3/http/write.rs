//! `PutObject`, `CopyObject`, deletions and restoring.

use http::StatusCode;
use percent_encoding::percent_decode_str;

use super::context::Context;
use super::reply;
use super::xml::Xml;
use super::xml_in::Element;
use crate::http::Response;
use crate::s3::state::conditions::{ETags, WriteConditions};
use crate::s3::state::copy::{CopyChanges, CopySource};
use crate::s3::state::error::{Result, S3Error};
use crate::s3::state::{Deleted, NewObject, S3State, check_key};
use crate::s3::time;

/// The most keys of one `DeleteObjects`.
const DELETE_KEYS: usize = 1000;

pub(super) fn put(state: &mut S3State, context: &Context<'_>) -> Result<Response> {
    state.bucket(context.bucket)?;
    check_key(context.key)?;
    context.check_supported()?;
    let size = u64::try_from(context.request.body.len()).unwrap_or(u64::MAX);
    if size > state.limits.put_bytes {
        return Err(S3Error::too_large(size, state.limits.put_bytes));
    }
    let conditions = context.write_conditions()?;
    let new = NewObject {
        headers: context.object_headers()?,
        tags: context.header_tags()?.unwrap_or_default(),
        storage_class: context.storage_class()?.unwrap_or_default(),
        checksum: context.verified_body()?,
        body: context.request.body.clone(),
    };
    let stored = state.put(context.bucket, context.key, new, &conditions, context.now)?;
    let mut response = reply::empty(StatusCode::OK);
    reply::set_stored(&mut response, &stored);
    Ok(response)
}

pub(super) fn copy(state: &mut S3State, context: &Context<'_>) -> Result<Response> {
    context.check_supported()?;
    let source = source(state, context)?;
    let replaces_headers = directive(context, "x-amz-metadata-directive")?;
    let replaces_tags = directive(context, "x-amz-tagging-directive")?;
    let other = ["x-amz-server-side-encryption", "x-amz-website-redirect-location"];
    let changes = CopyChanges {
        headers: replaces_headers.then(|| context.object_headers()).transpose()?,
        tags: replaces_tags
            .then(|| context.header_tags().map(Option::unwrap_or_default))
            .transpose()?,
        storage_class: context.storage_class()?,
        algorithm: context.algorithm("x-amz-checksum-algorithm")?,
        other: other.into_iter().any(|name| context.header(name).is_some()),
    };
    let conditions = context.write_conditions()?;
    let copied =
        state.copy(&source, context.bucket, context.key, changes, &conditions, context.now)?;

    let stored = copied.stored;
    let mut xml = Xml::document("CopyObjectResult");
    xml.text("LastModified", &time::iso8601(stored.modified));
    xml.etag(&stored.etag);
    if let Some(checksum) = &stored.checksum {
        xml.text("ChecksumType", checksum.kind.name());
        xml.text(checksum.algorithm.element(), &checksum.value);
    }
    let mut response = reply::xml(xml);
    reply::set(&mut response, "x-amz-server-side-encryption", "AES256");
    if let Some(version) = &stored.version_id {
        reply::set(&mut response, "x-amz-version-id", version);
    }
    if let Some(version) = &copied.source_version_id {
        reply::set(&mut response, "x-amz-copy-source-version-id", version);
    }
    Ok(response)
}

/// What the header `x-amz-copy-source` names.
pub(super) fn source(state: &S3State, context: &Context<'_>) -> Result<CopySource> {
    let header = context.header("x-amz-copy-source").unwrap_or_default();
    let bad = || {
        let message = "Copy Source must mention the source bucket and key: sourcebucket/sourcekey";
        S3Error::invalid_argument(message, "x-amz-copy-source", header)
    };
    // A plus sign is a space here, as in the encodings of listings.
    let decode = |text: &str| {
        let spaced = text.replace('+', " ");
        percent_decode_str(&spaced).decode_utf8().map(String::from).ok()
    };
    let (path, version) = match header.rsplit_once("?versionId=") {
        Some((path, version)) => (path, Some(decode(version).ok_or_else(bad)?)),
        None => (header, None),
    };
    let path = decode(path).ok_or_else(bad)?;
    let path = path.strip_prefix('/').unwrap_or(&path);
    let (bucket, key) = path.split_once('/').ok_or_else(bad)?;
    if bucket.is_empty() || key.is_empty() {
        return Err(bad());
    }
    let owner = state.bucket(bucket)?;
    context.check_owner("x-amz-source-expected-bucket-owner", owner)?;
    let resource = format!("arn:aws:s3:::{bucket}/{key}");
    if !super::access::may(owner, context.account(), "s3:GetObject", &resource) {
        return Err(S3Error::access_denied());
    }
    let conditions = context.read_conditions("x-amz-copy-source-");
    Ok(CopySource { bucket: bucket.to_owned(), key: key.to_owned(), version, conditions })
}

fn directive(context: &Context<'_>, name: &str) -> Result<bool> {
    match context.header(name) {
        None | Some("COPY") => Ok(false),
        Some("REPLACE") => Ok(true),
        Some(other) => {
            let what = if name.contains("tagging") { "tagging" } else { "metadata" };
            Err(S3Error::invalid_argument(format!("Unknown {what} directive."), name, other))
        }
    }
}

pub(super) fn delete(state: &mut S3State, context: &Context<'_>) -> Result<Response> {
    for name in ["x-amz-if-match-last-modified-time", "x-amz-if-match-size"] {
        if context.header(name).is_some() {
            return Err(S3Error::not_implemented(name));
        }
    }
    let if_match = context.header("if-match").map(ETags::parse);
    let (bucket, key, version) = (context.bucket, context.key, context.version()?);
    let deleted = state.delete(bucket, key, version, if_match.as_ref(), context.now)?;
    let mut response = reply::no_content();
    if let Some(version) = &deleted.version_id {
        reply::set(&mut response, "x-amz-version-id", version);
    }
    if deleted.marker {
        reply::set(&mut response, "x-amz-delete-marker", "true");
    }
    Ok(response)
}

pub(super) fn delete_many(state: &mut S3State, context: &Context<'_>) -> Result<Response> {
    state.bucket(context.bucket)?;
    context.require_digest()?;
    context.verified_body()?;
    let document = Element::parse(&context.request.body, "Delete")?;
    document.only(&["Object", "Quiet"])?;
    let quiet = document.boolean("Quiet")?.unwrap_or(false);
    let objects = document.all("Object").collect::<Vec<_>>();
    well_formed((1..=DELETE_KEYS).contains(&objects.len()))?;
    for object in &objects {
        well_formed(object.text_of("Key").is_some_and(|key| !key.is_empty()))?;
    }

    let mut xml = Xml::document("DeleteResult");
    for object in objects {
        let key = object.text_of("Key").unwrap_or_default();
        let version = object.text_of("VersionId").filter(|version| !version.is_empty());
        match delete_one(state, context, object, key, version) {
            Ok(deleted) if !quiet => write_deleted(&mut xml, key, version, &deleted),
            Ok(_) => {}
            Err(error) => {
                xml.open("Error");
                xml.text("Key", key);
                if let Some(version) = version {
                    xml.text("VersionId", version);
                }
                xml.text("Code", error.code);
                xml.text("Message", &error.message);
                xml.close("Error");
            }
        }
    }
    Ok(reply::xml(xml))
}

fn well_formed(good: bool) -> Result<()> {
    if good { Ok(()) } else { Err(S3Error::malformed_xml()) }
}

fn delete_one(
    state: &mut S3State,
    context: &Context<'_>,
    object: &Element,
    key: &str,
    version: Option<&str>,
) -> Result<Deleted> {
    for name in ["LastModifiedTime", "Size"] {
        if object.child(name).is_some() {
            return Err(S3Error::not_implemented(name));
        }
    }
    let if_match = object.text_of("ETag").map(ETags::parse);
    state.delete(context.bucket, key, version, if_match.as_ref(), context.now).map_err(|error| {
        // Of a version that cannot exist a bulk deletion says that it does not.
        let unknown = error.code == "InvalidArgument" && version.is_some();
        if unknown { S3Error::no_such_version(key, version.unwrap_or_default()) } else { error }
    })
}

fn write_deleted(xml: &mut Xml, key: &str, version: Option<&str>, deleted: &Deleted) {
    xml.open("Deleted");
    xml.text("Key", key);
    if let Some(version) = version {
        xml.text("VersionId", version);
    }
    if deleted.marker {
        xml.boolean("DeleteMarker", true);
        if let Some(marker) = &deleted.version_id {
            xml.text("DeleteMarkerVersionId", marker);
        }
    }
    xml.close("Deleted");
}

/// `RestoreObject`: what is archived can be read at once, for some days.
pub(super) fn restore(state: &mut S3State, context: &Context<'_>) -> Result<Response> {
    let document = Element::parse(&context.request.body, "RestoreRequest")?;
    let days = document.number("Days")?.filter(|days| *days > 0);
    let days = days.ok_or_else(S3Error::malformed_xml)?;
    let version = context.version()?;
    let now = context.now;
    let (object, version_id) = state.object_mut(context.bucket, context.key, version)?;
    if !object.storage_class.is_archive() {
        let message = "Restore is not allowed for the object's current storage class";
        return Err(S3Error::new("InvalidObjectState", message)
            .with("StorageClass", object.storage_class.name()));
    }
    let restored = object.restored_until.is_some_and(|until| now < until);
    object.restored_until = Some(now.saturating_add(days.saturating_mul(86_400)));
    let status = if restored { StatusCode::OK } else { StatusCode::ACCEPTED };
    let mut response = reply::empty(status);
    if let Some(version) = version_id {
        reply::set(&mut response, "x-amz-version-id", &version);
    }
    Ok(response)
}

/// A write without conditions.
pub(super) const UNCONDITIONAL: WriteConditions =
    WriteConditions { if_match: None, if_absent: false };
