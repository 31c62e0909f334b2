//! Listings.

use std::borrow::Cow;
use std::time::SystemTime;

use http::Method;
use polycloud_core::object::{
    DeleteMarker, ETag, Key, ListEntry, ListOptions, ListPage, ObjectMeta, Revision, VersionId,
};
use polycloud_core::page::PageToken;
use polycloud_core::{Error, ErrorKind, Result};
use polycloud_wire::xml::{Event, Reader};
use polycloud_wire::{Call, Class, Reply, encode, time};

use super::document::malformed;
use super::{DOCUMENT, S3Store, headers};

/// What a document holds whose keys are percent-encoded.
const ENCODED: &[u8] = b"<EncodingType>url</";

impl S3Store {
    pub(super) async fn list(
        &self,
        options: &ListOptions,
        token: Option<&PageToken>,
    ) -> Result<ListPage> {
        self.0.capabilities.check(options)?;
        let marker = match token.filter(|_| options.versions) {
            Some(token) => Some(Marker::parse(token)?),
            None => None,
        };
        let make = || {
            let mut request = self.request(Method::GET, None);
            request = match (options.versions, token) {
                (true, _) => request.query("versions", ""),
                (false, Some(token)) => {
                    request.query("list-type", "2").query("continuation-token", token.as_str())
                }
                (false, None) => request.query("list-type", "2"),
            };
            match (&options.start_after, &marker) {
                (_, Some(Marker { key, version })) => {
                    request = request.query("key-marker", key);
                    if let Some(version) = version {
                        request = request.query("version-id-marker", version);
                    }
                }
                (Some(after), None) if options.versions => {
                    request = request.query("key-marker", after);
                }
                (Some(after), None) => request = request.query("start-after", after),
                (None, None) => {}
            }
            if !options.prefix.is_empty() {
                request = request.query("prefix", &options.prefix);
            }
            if let Some(delimiter) = options.delimiter.as_deref().filter(|it| !it.is_empty()) {
                request = request.query("delimiter", delimiter);
            }
            if let Some(size) = options.page_size {
                request = request.query_number("max-keys", size.clamp(1, 1_000));
            }
            if self.0.account.quirks.encoding_type {
                request = request.query("encoding-type", "url");
            }
            request.empty()
        };
        let call = Call { operation: "list_page", class: Class::Read, make: &make };
        let Reply { body, .. } = self.0.wire.send(call, DOCUMENT).await?;
        let page = parse_page(&body, options)?;
        if page.next.is_some() && page.next.as_ref() == token {
            return Err(Error::new(ErrorKind::InvalidResponse)
                .with_message("the listing repeats its continuation token"));
        }
        Ok(page)
    }
}

/// Where a listing of versions goes on. One of objects has a token of S3's own.
struct Marker {
    key: String,
    version: Option<String>,
}

impl Marker {
    fn parse(token: &PageToken) -> Result<Self> {
        let parsed: Result<(String, Option<String>), _> = serde_json::from_str(token.as_str());
        let (key, version) =
            parsed.map_err(|_| Error::invalid("not a token of a listing of versions"))?;
        Ok(Self { key, version })
    }

    fn token(&self) -> PageToken {
        PageToken::new(serde_json::json!([self.key, self.version]).to_string())
    }
}

/// A list document, as far as it was read.
#[derive(Default)]
struct Document {
    encoded: bool,
    truncated: bool,
    token: Option<String>,
    next_key: Option<String>,
    next_version: Option<String>,
    objects: Vec<ListEntry>,
    prefixes: Vec<ListEntry>,
    complete: bool,
}

fn parse_page(body: &[u8], options: &ListOptions) -> Result<ListPage> {
    let mut reader = Reader::new(body);
    // Where the document says so, it may be behind the keys.
    let encoded = body.windows(ENCODED.len()).any(|window| window == ENCODED);
    let mut document = Document { encoded, ..Document::default() };
    let mut line = Line::default();
    let mut in_prefix = false;
    let mut in_line = false;
    while let Some(event) = reader.next()? {
        match event {
            Event::Start("Contents" | "Version" | "DeleteMarker") => in_line = true,
            Event::Start("CommonPrefixes") => in_prefix = true,
            Event::End("CommonPrefixes") => in_prefix = false,
            Event::Start("Owner" | "RestoreStatus") => reader.skip()?,
            Event::Leaf(name, text) if in_line => line.set(name, text),
            Event::Leaf("Prefix", text) if in_prefix => {
                let prefix = name(&text, document.encoded)?;
                document.prefixes.push(ListEntry::Prefix(prefix));
            }
            Event::Leaf("IsTruncated", text) => document.truncated = text == "true",
            Event::Leaf("NextContinuationToken", text) => document.token = Some(text.into_owned()),
            Event::Leaf("NextKeyMarker", text) => {
                document.next_key = Some(name(&text, document.encoded)?);
            }
            Event::Leaf("NextVersionIdMarker", text) => {
                document.next_version = Some(text.into_owned());
            }
            Event::End(kind @ ("Contents" | "Version" | "DeleteMarker")) => {
                in_line = false;
                let entry = std::mem::take(&mut line).entry(kind, &document)?;
                document.objects.push(entry);
            }
            Event::End("ListBucketResult" | "ListVersionsResult") => document.complete = true,
            _ => {}
        }
    }
    document.page(options)
}

impl Document {
    fn page(self, options: &ListOptions) -> Result<ListPage> {
        if !self.complete {
            return Err(malformed("it is not a listing"));
        }
        let next = match (self.truncated, options.versions) {
            (false, _) => None,
            (true, false) => {
                let token = self.token.ok_or_else(|| malformed("there is no token to go on"))?;
                Some(PageToken::new(token))
            }
            (true, true) => {
                let key = self.next_key.ok_or_else(|| malformed("there is no key to go on"))?;
                Some(Marker { key, version: self.next_version }.token())
            }
        };
        Ok(ListPage::new(merge(self.objects, self.prefixes), next))
    }
}

/// A key or prefix as it is: the services encode a space as `+`, and a plus sign always.
pub(super) fn name(text: &str, encoded: bool) -> Result<String> {
    if !encoded || !text.contains(['%', '+']) {
        return Ok(text.to_owned());
    }
    let spaced = text.replace('+', " ");
    Ok(encode::decode(&spaced)?.into_owned())
}

/// Two ordered lists as one. S3 tells objects and prefixes apart; they are one listing.
fn merge(objects: Vec<ListEntry>, prefixes: Vec<ListEntry>) -> Vec<ListEntry> {
    if prefixes.is_empty() {
        return objects;
    }
    let mut merged = Vec::with_capacity(objects.len() + prefixes.len());
    let (mut objects, mut prefixes) = (objects.into_iter().peekable(), prefixes.into_iter());
    let mut prefix = prefixes.next();
    while let Some(next) = prefix {
        while let Some(object) = objects.next_if(|object| object.name() <= next.name()) {
            merged.push(object);
        }
        merged.push(next);
        prefix = prefixes.next();
    }
    merged.extend(objects);
    merged
}

/// One object, version or marker of a document.
#[derive(Default)]
struct Line<'a> {
    key: Cow<'a, str>,
    size: Option<u64>,
    modified: Option<Cow<'a, str>>,
    etag: Option<Cow<'a, str>>,
    version: Option<Cow<'a, str>>,
    latest: Option<bool>,
    class: Option<Cow<'a, str>>,
}

impl<'a> Line<'a> {
    fn set(&mut self, name: &str, text: Cow<'a, str>) {
        match name {
            "Key" => self.key = text,
            "Size" => self.size = text.parse().ok(),
            "LastModified" => self.modified = Some(text),
            "ETag" => self.etag = Some(text),
            "VersionId" => self.version = Some(text),
            "IsLatest" => self.latest = Some(text == "true"),
            "StorageClass" => self.class = Some(text),
            _ => {}
        }
    }

    fn entry(self, kind: &str, document: &Document) -> Result<ListEntry> {
        let key = Key::new(name(&self.key, document.encoded)?)
            .map_err(|error| malformed("a key is none").with_source(error))?;
        let modified = self.modified.ok_or_else(|| malformed("an entry has no time"))?;
        let modified: SystemTime = time::parse_rfc3339(&modified)?;
        let version = self.version.map(VersionId::new);
        if kind == "DeleteMarker" {
            let version = version.ok_or_else(|| malformed("a delete marker has no version"))?;
            let latest = self.latest.unwrap_or(false);
            return Ok(ListEntry::DeleteMarker(DeleteMarker::new(key, version, modified, latest)));
        }
        let size = self.size.ok_or_else(|| malformed("an object has no size"))?;
        let revision = Revision::new(self.etag.map(ETag::new), version);
        let mut meta = ObjectMeta::new(key, size, modified, revision);
        meta.is_latest = Some(self.latest.unwrap_or(true));
        meta.storage_class = headers::storage_class(self.class.as_deref());
        Ok(ListEntry::Object(meta))
    }
}
