//! Listings of objects and of versions.

use super::context::Context;
use super::reply;
use super::xml::{Xml, url_encode};
use crate::http::Response;
use crate::s3::state::S3State;
use crate::s3::state::error::{Result, S3Error};
use crate::s3::state::list::{Line, ListQuery, Page, Start};
use crate::s3::state::list_versions::ListedVersion;
use crate::s3::state::object::{Object, Version, VersionRef};
use crate::s3::time;

/// The most names of a page.
const PAGE: usize = 1000;
/// About what an entry takes, so that the text grows seldom.
const ENTRY_BYTES: usize = 400;

/// The names of a listing as the request wants them shown.
struct Names {
    encoded: bool,
}

impl Names {
    fn write(&self, xml: &mut Xml, element: &str, name: &str) {
        if self.encoded { xml.text(element, &url_encode(name)) } else { xml.text(element, name) }
    }

    /// The element only if there is something in it.
    fn write_some(&self, xml: &mut Xml, element: &str, name: &str) {
        if !name.is_empty() {
            self.write(xml, element, name);
        }
    }
}

fn text<'a>(context: &Context<'a>, name: &str) -> &'a str {
    context.query(name).unwrap_or_default()
}

fn query(context: &Context<'_>, start: Start) -> Result<ListQuery> {
    Ok(ListQuery {
        prefix: text(context, "prefix").to_owned(),
        delimiter: text(context, "delimiter").to_owned(),
        start,
        limit: context.limit("max-keys", PAGE)?,
    })
}

/// `ListObjectsV2`.
pub(super) fn objects_v2(state: &S3State, context: &Context<'_>) -> Result<Response> {
    let bucket = state.bucket(context.bucket)?;
    let names = Names { encoded: context.url_encoding()? };
    let (token, start_after) = (context.query("continuation-token"), text(context, "start-after"));
    let start = match (token, start_after) {
        (Some(token), _) => Start::AfterEntry(state.place(context.bucket, token)?),
        (None, "") => Start::Beginning,
        (None, key) => Start::After(key.to_owned()),
    };
    let query = query(context, start)?;
    let page = bucket.list(&query);

    let mut xml = Xml::document("ListBucketResult");
    xml.reserve(page.lines.len() * ENTRY_BYTES);
    xml.text("Name", context.bucket);
    names.write(&mut xml, "Prefix", &query.prefix);
    names.write_some(&mut xml, "Delimiter", &query.delimiter);
    names.write_some(&mut xml, "StartAfter", start_after);
    if let Some(token) = token {
        xml.text("ContinuationToken", token);
    }
    if let Some(last) = page.lines.last().filter(|_| page.truncated) {
        xml.text("NextContinuationToken", &state.token(context.bucket, last.name()));
    }
    xml.number("KeyCount", page.lines.len());
    xml.number("MaxKeys", query.limit);
    if names.encoded {
        xml.text("EncodingType", "url");
    }
    xml.boolean("IsTruncated", page.truncated);
    let owner = context.query("fetch-owner").filter(|fetch| *fetch == "true");
    write_objects(&mut xml, &page, &names, owner.map(|_| bucket.owner.as_str()));
    write_prefixes(&mut xml, &page, names.encoded);
    Ok(reply::xml(xml))
}

/// `ListObjects`, the first version.
pub(super) fn objects_v1(state: &S3State, context: &Context<'_>) -> Result<Response> {
    let bucket = state.bucket(context.bucket)?;
    let names = Names { encoded: context.url_encoding()? };
    let marker = text(context, "marker");
    let start = match marker {
        "" => Start::Beginning,
        entry => Start::AfterEntry(entry.to_owned()),
    };
    let query = query(context, start)?;
    let page = bucket.list(&query);

    let mut xml = Xml::document("ListBucketResult");
    xml.reserve(page.lines.len() * ENTRY_BYTES);
    xml.text("Name", context.bucket);
    names.write(&mut xml, "Prefix", &query.prefix);
    names.write(&mut xml, "Marker", marker);
    // Without a delimiter the last key is the marker, and S3 does not repeat it.
    let last = page.lines.last().filter(|_| page.truncated && !query.delimiter.is_empty());
    if let Some(last) = last {
        names.write(&mut xml, "NextMarker", last.name());
    }
    xml.number("MaxKeys", query.limit);
    names.write_some(&mut xml, "Delimiter", &query.delimiter);
    if names.encoded {
        xml.text("EncodingType", "url");
    }
    xml.boolean("IsTruncated", page.truncated);
    write_objects(&mut xml, &page, &names, Some(&bucket.owner));
    write_prefixes(&mut xml, &page, names.encoded);
    Ok(reply::xml(xml))
}

fn write_objects(
    xml: &mut Xml,
    page: &Page<'_, (&Version, &Object)>,
    names: &Names,
    owner: Option<&str>,
) {
    for line in &page.lines {
        let Line::Entry(key, (version, object)) = line else { continue };
        xml.open("Contents");
        names.write(xml, "Key", key);
        xml.text("LastModified", &time::iso8601(version.modified));
        write_object(xml, object, owner);
        xml.close("Contents");
    }
}

fn write_object(xml: &mut Xml, object: &Object, owner: Option<&str>) {
    xml.etag(&object.etag);
    if let Some(checksum) = &object.checksum {
        xml.text("ChecksumAlgorithm", checksum.algorithm.name());
        xml.text("ChecksumType", checksum.kind.name());
    }
    xml.number("Size", object.content.len());
    if let Some(owner) = owner {
        xml.owner("Owner", owner);
    }
    xml.text("StorageClass", object.storage_class.name());
}

pub(super) fn write_prefixes<T>(xml: &mut Xml, page: &Page<'_, T>, encoded: bool) {
    let names = Names { encoded };
    for line in &page.lines {
        if let Line::Prefix(prefix) = line {
            xml.open("CommonPrefixes");
            names.write(xml, "Prefix", prefix);
            xml.close("CommonPrefixes");
        }
    }
}

/// `ListObjectVersions`.
pub(super) fn versions(state: &S3State, context: &Context<'_>) -> Result<Response> {
    let bucket = state.bucket(context.bucket)?;
    let names = Names { encoded: context.url_encoding()? };
    let key_marker = text(context, "key-marker");
    let version_marker = context.query("version-id-marker").filter(|marker| !marker.is_empty());
    let query = query(context, version_start(state, context, key_marker, version_marker)?)?;
    let page = bucket.list_versions(&query);

    let mut xml = Xml::document("ListVersionsResult");
    xml.reserve(page.lines.len() * ENTRY_BYTES);
    xml.text("Name", context.bucket);
    names.write(&mut xml, "Prefix", &query.prefix);
    names.write(&mut xml, "KeyMarker", key_marker);
    xml.text("VersionIdMarker", version_marker.unwrap_or_default());
    if let Some(last) = page.lines.last().filter(|_| page.truncated) {
        names.write(&mut xml, "NextKeyMarker", last.name());
        if let Line::Entry(_, listed) = last {
            xml.text("NextVersionIdMarker", &state.version_id(listed.version));
        }
    }
    xml.number("MaxKeys", query.limit);
    names.write_some(&mut xml, "Delimiter", &query.delimiter);
    if names.encoded {
        xml.text("EncodingType", "url");
    }
    xml.boolean("IsTruncated", page.truncated);
    for line in &page.lines {
        if let Line::Entry(key, listed) = line {
            let id = state.version_id(listed.version);
            write_version(&mut xml, &names, key, &id, *listed, &bucket.owner);
        }
    }
    write_prefixes(&mut xml, &page, names.encoded);
    Ok(reply::xml(xml))
}

fn version_start(
    state: &S3State,
    context: &Context<'_>,
    key: &str,
    version: Option<&str>,
) -> Result<Start> {
    let Some(version) = version else {
        let start = || Start::AfterEntry(key.to_owned());
        return Ok(if key.is_empty() { Start::Beginning } else { start() });
    };
    if key.is_empty() {
        let message = "A version-id marker cannot be specified without a key marker.";
        return Err(S3Error::invalid_argument(message, "version-id-marker", version));
    }
    let wanted = state.version_ref(version).map_err(|_| {
        let message = "Invalid version id specified";
        S3Error::invalid_argument(message, "version-id-marker", version)
    })?;
    let number = match wanted {
        VersionRef::Number(number) => Some(number),
        VersionRef::Null => {
            let null = state.bucket(context.bucket)?.version(key, VersionRef::Null);
            null.map(|version| version.number)
        }
    };
    // Where a null version was cannot be told once it is gone.
    let gone = || Start::After(key.to_owned());
    Ok(number.map_or_else(gone, |number| Start::AfterVersion(key.to_owned(), number)))
}

fn write_version(
    xml: &mut Xml,
    names: &Names,
    key: &str,
    id: &str,
    listed: ListedVersion<'_>,
    owner: &str,
) {
    let element = if listed.version.object.is_some() { "Version" } else { "DeleteMarker" };
    xml.open(element);
    names.write(xml, "Key", key);
    xml.text("VersionId", id);
    xml.boolean("IsLatest", listed.latest);
    xml.text("LastModified", &time::iso8601(listed.version.modified));
    match &listed.version.object {
        Some(object) => write_object(xml, object, Some(owner)),
        None => xml.owner("Owner", owner),
    }
    xml.close(element);
}

/// `ListBuckets`.
pub(super) fn buckets(state: &S3State, context: &Context<'_>) -> Result<Response> {
    let account = context.account().ok_or_else(S3Error::access_denied)?;
    let prefix = text(context, "prefix");
    let limit = match context.query("max-buckets") {
        None => 10_000,
        Some(number) => {
            number.parse().ok().filter(|n| (1..=10_000).contains(n)).ok_or_else(|| {
                let message = "Argument max-buckets must be an integer between 1 and 10000";
                S3Error::invalid_argument(message, "max-buckets", number)
            })?
        }
    };
    let scope = format!("/{account}");
    let after = context.query("continuation-token").map(|token| state.place(&scope, token));
    let after = after.transpose()?.unwrap_or_default();
    let region = context.query("bucket-region");
    let mut buckets = state.buckets_of(account).filter(|(name, bucket)| {
        name.starts_with(prefix)
            && **name > after
            && region.is_none_or(|region| bucket.region == region)
    });

    let mut xml = Xml::document("ListAllMyBucketsResult");
    xml.owner("Owner", account);
    xml.open("Buckets");
    let mut last = None;
    for (name, bucket) in buckets.by_ref().take(limit) {
        xml.open("Bucket");
        xml.text("Name", name);
        xml.text("CreationDate", &time::iso8601(bucket.created));
        xml.text("BucketRegion", &bucket.region);
        xml.close("Bucket");
        last = Some(name);
    }
    xml.close("Buckets");
    if let Some(last) = last.filter(|_| buckets.next().is_some()) {
        xml.text("ContinuationToken", &state.token(&scope, last));
    }
    if !prefix.is_empty() {
        xml.text("Prefix", prefix);
    }
    Ok(reply::xml(xml))
}
