//! Uploads in parts.

use http::StatusCode;

use super::context::Context;
use super::reply;
use super::write::source;
use super::xml::{Xml, url_encode};
use super::xml_in::Element;
use crate::http::Response;
use crate::s3::state::S3State;
use crate::s3::state::checksum::{Algorithm, ChecksumKind};
use crate::s3::state::conditions::unquote;
use crate::s3::state::error::{Result, S3Error};
use crate::s3::state::list::Line;
use crate::s3::state::multipart::{Completion, NamedPart, PART_NUMBERS, UploadRef};
use crate::s3::state::uploads::{ListedUpload, Part, Upload, UploadsQuery};
use crate::s3::time;

const PAGE: usize = 1000;

impl<'a> Context<'a> {
    fn upload_id(&self) -> &'a str {
        self.query("uploadId").unwrap_or_default()
    }

    fn upload(&self) -> UploadRef<'a> {
        UploadRef { bucket: self.bucket, key: self.key, id: self.upload_id() }
    }
}

/// The number of a part: 1 to 10,000.
pub(super) fn part_number(text: &str) -> Result<u16> {
    let number = text.parse().ok().filter(|number| (1..=PART_NUMBERS).contains(number));
    number.ok_or_else(|| {
        let message =
            format!("Part number must be an integer between 1 and {PART_NUMBERS}, inclusive");
        S3Error::invalid_argument(message, "partNumber", text)
    })
}

pub(super) fn create(state: &mut S3State, context: &Context<'_>) -> Result<Response> {
    context.check_supported()?;
    let algorithm = context.algorithm("x-amz-checksum-algorithm")?;
    let kind = checksum_kind(context)?;
    let upload = Upload {
        headers: context.object_headers()?,
        tags: context.header_tags()?.unwrap_or_default(),
        storage_class: context.storage_class()?.unwrap_or_default(),
        algorithm,
        kind: upload_kind(algorithm, kind)?,
        initiated: context.now,
        initiator: context.account().unwrap_or("anonymous").to_owned(),
        parts: std::collections::BTreeMap::new(),
    };
    let kind = upload.kind;
    let id = state.create_upload(context.bucket, context.key, upload)?;
    let mut xml = Xml::document("InitiateMultipartUploadResult");
    xml.text("Bucket", context.bucket);
    xml.text("Key", context.key);
    xml.text("UploadId", &id);
    let mut response = reply::xml(xml);
    reply::set(&mut response, "x-amz-server-side-encryption", "AES256");
    if let Some(algorithm) = algorithm {
        reply::set(&mut response, "x-amz-checksum-algorithm", algorithm.name());
        reply::set(&mut response, "x-amz-checksum-type", kind.name());
    }
    Ok(response)
}

fn checksum_kind(context: &Context<'_>) -> Result<Option<ChecksumKind>> {
    let Some(name) = context.header("x-amz-checksum-type") else { return Ok(None) };
    ChecksumKind::from_name(name)
        .map(Some)
        .ok_or_else(|| S3Error::invalid_request("Value for x-amz-checksum-type header is invalid."))
}

/// What kind of checksum an upload gets: CRC-64 goes over the whole, SHA over the parts.
fn upload_kind(algorithm: Option<Algorithm>, wanted: Option<ChecksumKind>) -> Result<ChecksumKind> {
    let Some(algorithm) = algorithm else {
        return match wanted {
            None => Ok(ChecksumKind::FullObject),
            Some(_) => Err(S3Error::invalid_request(
                "The x-amz-checksum-type header can only be used with the x-amz-checksum-algorithm \
                 header.",
            )),
        };
    };
    let default = match algorithm {
        Algorithm::Crc64Nvme => ChecksumKind::FullObject,
        _ => ChecksumKind::Composite,
    };
    let kind = wanted.unwrap_or(default);
    let possible = match kind {
        ChecksumKind::FullObject => algorithm.combines(),
        ChecksumKind::Composite => algorithm != Algorithm::Crc64Nvme,
    };
    if possible {
        return Ok(kind);
    }
    let (kind, name) = (kind.name(), algorithm.name().to_ascii_lowercase());
    Err(S3Error::invalid_request(format!(
        "The {kind} checksum type cannot be used with the {name} checksum algorithm."
    )))
}

pub(super) fn upload_part(state: &mut S3State, context: &Context<'_>) -> Result<Response> {
    let number = part_number(context.query("partNumber").unwrap_or_default())?;
    context.check_supported()?;
    state.upload(context.upload())?;
    let checksum = context.verified_body()?;
    let body = context.request.body.clone();
    let part = state.upload_part(context.upload(), number, body, checksum, context.now)?;
    let mut response = reply::empty(StatusCode::OK);
    reply::set_etag(&mut response, &part.etag);
    reply::set(&mut response, "x-amz-server-side-encryption", "AES256");
    if let Some(checksum) = &part.checksum {
        reply::set(&mut response, checksum.algorithm.header(), &checksum.value);
    }
    Ok(response)
}

pub(super) fn upload_part_copy(state: &mut S3State, context: &Context<'_>) -> Result<Response> {
    let number = part_number(context.query("partNumber").unwrap_or_default())?;
    state.upload(context.upload())?;
    let source = source(state, context)?;
    let range = context.header("x-amz-copy-source-range").map(copy_range).transpose()?;
    let copied = state.upload_part_copy(context.upload(), number, &source, range, context.now)?;
    let mut xml = Xml::document("CopyPartResult");
    xml.text("LastModified", &time::iso8601(copied.part.modified));
    xml.etag(&copied.part.etag);
    write_checksum(&mut xml, &copied.part);
    let mut response = reply::xml(xml);
    reply::set(&mut response, "x-amz-server-side-encryption", "AES256");
    if let Some(version) = &copied.source_version_id {
        reply::set(&mut response, "x-amz-copy-source-version-id", version);
    }
    Ok(response)
}

fn copy_range(header: &str) -> Result<(u64, u64)> {
    let range = header.strip_prefix("bytes=").and_then(|range| range.split_once('-'));
    let range = range.and_then(|(first, last)| Some((first.parse().ok()?, last.parse().ok()?)));
    range.ok_or_else(|| {
        let message = "The x-amz-copy-source-range value must be of the form bytes=first-last where \
                       first and last are the zero-based offsets of the first and last bytes to copy";
        S3Error::invalid_argument(message, "x-amz-copy-source-range", header)
    })
}

fn write_checksum(xml: &mut Xml, part: &Part) {
    if let Some(checksum) = &part.checksum {
        xml.text(checksum.algorithm.element(), &checksum.value);
    }
}

pub(super) fn complete(state: &mut S3State, context: &Context<'_>) -> Result<Response> {
    let conditions = context.write_conditions()?;
    state.bucket(context.bucket)?;
    let document = Element::parse(&context.request.body, "CompleteMultipartUpload")?;
    document.only(&["Part"])?;
    let size = match context.header("x-amz-mp-object-size") {
        None => None,
        Some(text) => Some(text.parse().map_err(|_| {
            S3Error::invalid_request("Value for x-amz-mp-object-size header is invalid.")
        })?),
    };
    let completion = Completion {
        parts: document.all("Part").map(named_part).collect::<Result<_>>()?,
        checksum: context.given_checksum()?,
        kind: checksum_kind(context)?,
        size,
        conditions,
    };
    let (bucket, key) = (context.bucket, context.key);
    let stored = state.complete_upload(context.upload(), &completion, context.now)?;
    let mut xml = Xml::document("CompleteMultipartUploadResult");
    xml.text("Location", &format!("http://{bucket}.s3.amazonaws.com/{}", url_encode(key)));
    xml.text("Bucket", bucket);
    xml.text("Key", key);
    xml.etag(&stored.etag);
    if let Some(checksum) = &stored.checksum {
        xml.text(checksum.algorithm.element(), &checksum.value);
        xml.text("ChecksumType", checksum.kind.name());
    }
    let mut response = reply::xml(xml);
    reply::set(&mut response, "x-amz-server-side-encryption", "AES256");
    if let Some(version) = &stored.version_id {
        reply::set(&mut response, "x-amz-version-id", version);
    }
    Ok(response)
}

fn named_part(element: &Element) -> Result<NamedPart> {
    let number = element.required("PartNumber")?.trim();
    let number = number.parse::<u16>().map_err(|_| S3Error::malformed_xml())?;
    let checksums = Algorithm::ALL.into_iter().filter_map(|algorithm| {
        let value = element.text_of(algorithm.element())?;
        Some((algorithm, value.trim().to_owned()))
    });
    Ok(NamedPart {
        number,
        etag: unquote(element.required("ETag")?).to_owned(),
        checksums: checksums.collect(),
    })
}

pub(super) fn abort(state: &mut S3State, context: &Context<'_>) -> Result<Response> {
    state.abort_upload(context.upload())?;
    Ok(reply::no_content())
}

pub(super) fn list_parts(state: &S3State, context: &Context<'_>) -> Result<Response> {
    let limit = context.limit("max-parts", PAGE)?;
    let marker = context.limit("part-number-marker", usize::from(u16::MAX));
    let marker = context.query("part-number-marker").map_or(Ok(0), |_| marker)?;
    let upload = state.upload(context.upload())?;
    let behind = upload.parts.iter().filter(|(number, _)| usize::from(**number) > marker);
    let mut parts = behind.collect::<Vec<_>>();
    let truncated = limit > 0 && parts.len() > limit;
    parts.truncate(limit);
    let next = parts.last().map_or(marker, |(number, _)| usize::from(**number));

    let mut xml = Xml::document("ListPartsResult");
    xml.text("Bucket", context.bucket);
    let encodes = context.url_encoding()?;
    if encodes {
        xml.text("EncodingType", "url");
        xml.text("Key", &url_encode(context.key));
    } else {
        xml.text("Key", context.key);
    }
    xml.text("UploadId", context.upload_id());
    xml.number("PartNumberMarker", marker);
    xml.number("NextPartNumberMarker", next);
    xml.number("MaxParts", limit);
    xml.boolean("IsTruncated", truncated);
    for (number, part) in parts {
        xml.open("Part");
        xml.number("PartNumber", number);
        xml.text("LastModified", &time::iso8601(part.modified));
        xml.etag(&part.etag);
        xml.number("Size", part.content.len());
        write_checksum(&mut xml, part);
        xml.close("Part");
    }
    write_owners(&mut xml, upload, &state.bucket(context.bucket)?.owner);
    Ok(reply::xml(xml))
}

fn write_owners(xml: &mut Xml, upload: &Upload, owner: &str) {
    xml.owner("Initiator", &upload.initiator);
    xml.owner("Owner", owner);
    xml.text("StorageClass", upload.storage_class.name());
    if let Some(algorithm) = upload.algorithm {
        xml.text("ChecksumAlgorithm", algorithm.name());
        xml.text("ChecksumType", upload.kind.name());
    }
}

pub(super) fn list_uploads(state: &S3State, context: &Context<'_>) -> Result<Response> {
    let bucket = state.bucket(context.bucket)?;
    let encodes = context.url_encoding()?;
    let show = |text: &str| if encodes { url_encode(text) } else { text.to_owned() };
    let text = |name| context.query(name).unwrap_or_default();
    let (key_marker, upload_marker) = (text("key-marker"), text("upload-id-marker"));
    let query = UploadsQuery {
        prefix: text("prefix").to_owned(),
        delimiter: text("delimiter").to_owned(),
        key_marker: key_marker.to_owned(),
        upload_marker: match upload_marker {
            // Without a key the marker of an upload means nothing.
            "" => None,
            _ if key_marker.is_empty() => None,
            id => Some(state.upload_number(id).map_err(|_| {
                S3Error::invalid_argument("Invalid uploadId marker", "upload-id-marker", id)
            })?),
        },
        limit: context.limit("max-uploads", PAGE)?,
    };
    let page = bucket.list_uploads(&query);

    let mut xml = Xml::document("ListMultipartUploadsResult");
    xml.text("Bucket", context.bucket);
    xml.text("KeyMarker", &show(key_marker));
    xml.text("UploadIdMarker", upload_marker);
    if page.truncated {
        let (key, id) = match page.lines.last() {
            Some(Line::Entry(key, listed)) => (*key, state.upload_id(listed.number)),
            Some(Line::Prefix(prefix)) => (prefix.as_str(), String::new()),
            None => ("", String::new()),
        };
        xml.text("NextKeyMarker", &show(key));
        xml.text("NextUploadIdMarker", &id);
    }
    xml.text("Prefix", &show(&query.prefix));
    if !query.delimiter.is_empty() {
        xml.text("Delimiter", &show(&query.delimiter));
    }
    if encodes {
        xml.text("EncodingType", "url");
    }
    xml.number("MaxUploads", query.limit);
    xml.boolean("IsTruncated", page.truncated);
    for line in &page.lines {
        if let Line::Entry(key, listed) = line {
            write_upload(
                &mut xml,
                &show(key),
                &state.upload_id(listed.number),
                *listed,
                &bucket.owner,
            );
        }
    }
    super::list::write_prefixes(&mut xml, &page, encodes);
    Ok(reply::xml(xml))
}

fn write_upload(xml: &mut Xml, key: &str, id: &str, listed: ListedUpload<'_>, owner: &str) {
    xml.open("Upload");
    xml.text("Key", key);
    xml.text("UploadId", id);
    write_owners(xml, listed.upload, owner);
    xml.text("Initiated", &time::iso8601(listed.upload.initiated));
    xml.close("Upload");
}
