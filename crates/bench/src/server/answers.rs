//! What the server says.

use std::cell::RefCell;
use std::fmt::Write as _;
use std::fs::File;
use std::io::Write as _;
use std::time::SystemTime;

use nix::sys::memfd::{MFdFlags, memfd_create};

use super::request::{Action, BUCKET, ByteRange, token};

const PAGES: usize = 100;
const PAGE_SIZE: usize = 1_000;
/// The content of all objects repeats itself after so many bytes.
pub(super) const BLOCK: u64 = 1 << 20;
/// Bodies of at most this size are sent together with the head.
const SMALL: u64 = 64 << 10;

const IDS: &str = "x-amz-id-2: MzRISOwyjmnupCzjI1WC06l5TTAzm7/JypPGXLh0OVFGcJaaO3KW/hRAqKOpIEEp\r\n\
                   x-amz-request-id: 4442587FB7D0A2F9\r\n";
const OBJECT: &str = "Last-Modified: Wed, 12 Oct 2022 17:50:00 GMT\r\n\
                      ETag: \"fba9dede5f27731c9771645a39863328\"\r\n\
                      x-amz-server-side-encryption: AES256\r\n\
                      Accept-Ranges: bytes\r\n\
                      Content-Type: application/octet-stream\r\n\
                      Server: AmazonS3\r\n";
const WRITTEN: &str = "ETag: \"fba9dede5f27731c9771645a39863328\"\r\n\
                       x-amz-server-side-encryption: AES256\r\n\
                       Server: AmazonS3\r\n";
const XML: &str = "Content-Type: application/xml\r\nServer: AmazonS3\r\n";
const PLAIN: &str = "Server: AmazonS3\r\n";
const PROLOGUE: &str = "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n";
const NAMESPACE: &str = "xmlns=\"http://s3.amazonaws.com/doc/2006-03-01/\"";
/// Multiplied by this, successive numbers look like digests.
const SPREAD: u128 = 0x9E37_79B9_7F4A_7C15_F39C_C060_5CED_C834;
const NO_KEY: &str = "<Error><Code>NoSuchKey</Code><Message>The specified key does not exist.</Message>\
                      <RequestId>4442587FB7D0A2F9</RequestId></Error>";
const BAD_RANGE: &str = "<Error><Code>InvalidRange</Code><Message>The requested range is not satisfiable\
                         </Message><RequestId>4442587FB7D0A2F9</RequestId></Error>";

/// All that is sent, made beforehand.
#[derive(Debug)]
pub(super) struct Answers {
    date: RefCell<String>,
    /// [`BLOCK`] bytes, in a file so that the kernel can send them as they are.
    content: File,
    small: Vec<u8>,
    /// Pages with names as they are, and percent-encoded.
    pages: [Vec<String>; 2],
}

/// What is to be sent after the head: this range of the object.
pub(super) type Rest = Option<(u64, u64)>;

impl Answers {
    pub(super) fn new() -> anyhow::Result<Self> {
        let block = (0..BLOCK).map(|i| (i.wrapping_mul(0x9E37_79B9) >> 13).to_le_bytes()[0]);
        let mut small: Vec<u8> = block.collect();
        let mut content =
            File::from(memfd_create("polycloud-bench-content", MFdFlags::MFD_CLOEXEC)?);
        content.write_all(&small)?;
        small.truncate(usize::try_from(SMALL)?);
        let pages =
            [false, true].map(|encoded| (0..PAGES).map(|number| page(number, encoded)).collect());
        let answers = Self { date: RefCell::default(), content, small, pages };
        answers.set_date();
        Ok(answers)
    }

    /// Takes the date of the answers from the clock.
    #[allow(clippy::disallowed_methods, reason = "a server owns the date of its answers")]
    pub(super) fn set_date(&self) {
        *self.date.borrow_mut() = httpdate::fmt_http_date(SystemTime::now());
    }

    /// What bodies are sent from: [`BLOCK`] bytes that repeat.
    pub(super) fn content(&self) -> &File {
        &self.content
    }

    /// Appends the answer. What does not fit well is returned, to be sent behind it.
    pub(super) fn answer(&self, action: &Action, body: &[u8], out: &mut Vec<u8>) -> Rest {
        match action {
            Action::Get { size, range } => return self.object(*size, *range, out),
            Action::Head { size } => self.head(out, "200 OK", OBJECT, *size, ""),
            Action::Put => self.head(out, "200 OK", WRITTEN, 0, ""),
            Action::Delete => self.no_content(out),
            Action::DeleteMany => self.xml(out, "200 OK", &deleted(body)),
            Action::List { page, encoded } => {
                match self.pages.get(usize::from(*encoded)).and_then(|pages| pages.get(*page)) {
                    Some(page) => self.xml(out, "200 OK", page),
                    None => self.xml(out, "404 Not Found", NO_KEY),
                }
            }
            Action::CreateUpload { key } => self.xml(out, "200 OK", &created(key)),
            Action::CompleteUpload { key } => self.xml(out, "200 OK", &completed(key)),
            Action::Unknown => self.xml(out, "404 Not Found", NO_KEY),
        }
        None
    }

    fn object(&self, size: u64, range: Option<ByteRange>, out: &mut Vec<u8>) -> Rest {
        let (first, end) = match range.map(|range| range.within(size)) {
            None => {
                self.head(out, "200 OK", OBJECT, size, "");
                (0, size)
            }
            Some(Some((first, end))) => {
                let range = format!("Content-Range: bytes {first}-{}/{size}\r\n", end - 1);
                self.head(out, "206 Partial Content", OBJECT, end - first, &range);
                (first, end)
            }
            Some(None) => {
                self.xml(out, "416 Requested Range Not Satisfiable", BAD_RANGE);
                return None;
            }
        };
        let range = usize::try_from(first).ok().zip(usize::try_from(end).ok());
        match range.and_then(|(first, end)| self.small.get(first..end)) {
            Some(body) => {
                out.extend_from_slice(body);
                None
            }
            None => Some((first, end)),
        }
    }

    fn head(&self, out: &mut Vec<u8>, status: &str, fields: &str, length: u64, more: &str) {
        let date = self.date.borrow();
        for text in ["HTTP/1.1 ", status, "\r\n", IDS, "Date: ", &date, "\r\n", fields, more] {
            out.extend_from_slice(text.as_bytes());
        }
        // Writing to memory does not fail.
        let _ = write!(out, "Content-Length: {length}\r\n\r\n");
    }

    fn no_content(&self, out: &mut Vec<u8>) {
        let date = self.date.borrow();
        let status = "HTTP/1.1 204 No Content\r\n";
        for text in [status, IDS, "Date: ", &date, "\r\n", PLAIN, "\r\n"] {
            out.extend_from_slice(text.as_bytes());
        }
    }

    fn xml(&self, out: &mut Vec<u8>, status: &str, text: &str) {
        self.head(out, status, XML, text.len() as u64, "");
        out.extend_from_slice(text.as_bytes());
    }
}

fn page(number: usize, encoded: bool) -> String {
    let next = number + 1;
    let mut text =
        format!("{PROLOGUE}<ListBucketResult {NAMESPACE}><Name>{BUCKET}</Name><Prefix></Prefix>");
    if number > 0 {
        text += &format!("<ContinuationToken>{}</ContinuationToken>", token(number));
    }
    if next < PAGES {
        text += &format!("<NextContinuationToken>{}</NextContinuationToken>", token(next));
    }
    text += &format!("<KeyCount>{PAGE_SIZE}</KeyCount><MaxKeys>{PAGE_SIZE}</MaxKeys>");
    if encoded {
        text += "<EncodingType>url</EncodingType>";
    }
    text += &format!("<IsTruncated>{}</IsTruncated>", next < PAGES);
    for i in 0..PAGE_SIZE {
        let tag = ((number * PAGE_SIZE + i) as u128).wrapping_mul(SPREAD);
        // Writing to memory does not fail.
        let _ = write!(
            text,
            "<Contents><Key>logs/{number:03}/object-{i:04}</Key>\
             <LastModified>2022-10-12T17:{:02}:{:02}.000Z</LastModified>\
             <ETag>&quot;{tag:032x}&quot;</ETag><Size>4096</Size>\
             <StorageClass>STANDARD</StorageClass></Contents>",
            i / 60 % 60,
            i % 60,
        );
    }
    text + "</ListBucketResult>"
}

/// All keys that the body names are deleted.
fn deleted(body: &[u8]) -> String {
    let body = String::from_utf8_lossy(body);
    let mut text = format!("{PROLOGUE}<DeleteResult {NAMESPACE}>");
    for key in body.split("<Key>").skip(1).filter_map(|rest| rest.split("</Key>").next()) {
        text += &format!("<Deleted><Key>{key}</Key></Deleted>");
    }
    text + "</DeleteResult>"
}

fn created(key: &str) -> String {
    format!(
        "{PROLOGUE}<InitiateMultipartUploadResult {NAMESPACE}><Bucket>{BUCKET}</Bucket><Key>{key}</Key>\
         <UploadId>VXBsb2FkIElEIGZvciA2aWWpbmcncyBteS1tb3ZpZS5tMnRzIHVwbG9hZA</UploadId>\
         </InitiateMultipartUploadResult>"
    )
}

fn completed(key: &str) -> String {
    format!(
        "{PROLOGUE}<CompleteMultipartUploadResult {NAMESPACE}>\
         <Location>http://{BUCKET}.s3.amazonaws.com/{key}</Location><Bucket>{BUCKET}</Bucket>\
         <Key>{key}</Key><ETag>&quot;3858f62230ac3c915f300c664312c11f-9&quot;</ETag>\
         </CompleteMultipartUploadResult>"
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answered(action: &Action, body: &str) -> (String, Rest) {
        let mut out = Vec::new();
        let rest = Answers::new().unwrap().answer(action, body.as_bytes(), &mut out);
        (String::from_utf8_lossy(&out).into_owned(), rest)
    }

    #[test]
    fn objects_come_with_the_head_or_behind_it() {
        let answers = Answers::new().unwrap();
        let mut out = Vec::new();
        let action = Action::Get { size: 4096, range: None };
        assert_eq!(answers.answer(&action, b"", &mut out), None);
        assert!(out.ends_with(&answers.small[..4096]));
        let (head, rest) = answered(&Action::Get { size: 1 << 30, range: None }, "");
        assert!(head.ends_with("Content-Length: 1073741824\r\n\r\n"), "{head}");
        assert_eq!(rest, Some((0, 1 << 30)));
        let range = Some(ByteRange::Last(1 << 20));
        let (head, rest) = answered(&Action::Get { size: 1 << 30, range }, "");
        assert!(head.starts_with("HTTP/1.1 206 "), "{head}");
        assert!(
            head.contains("Content-Range: bytes 1072693248-1073741823/1073741824\r\n"),
            "{head}"
        );
        assert_eq!(rest, Some(((1 << 30) - (1 << 20), 1 << 30)));
    }

    #[test]
    fn pages_lead_to_each_other() {
        let first = page(0, true);
        assert_eq!(first.matches("<Key>").count(), PAGE_SIZE);
        assert!(first.contains(&format!("<NextContinuationToken>{}<", token(1))));
        assert!(first.contains("<EncodingType>url</EncodingType><IsTruncated>true<"));
        let last = page(PAGES - 1, false);
        assert!(last.contains("<IsTruncated>false<") && !last.contains("NextContinuationToken"));
    }

    #[test]
    fn deleted_keys_are_named() {
        let (text, _) =
            answered(&Action::DeleteMany, "<Delete><Object><Key>a</Key></Object></Delete>");
        assert!(text.ends_with("<Deleted><Key>a</Key></Deleted></DeleteResult>"), "{text}");
    }
}
