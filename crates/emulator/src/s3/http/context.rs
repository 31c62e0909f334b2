//! What a request says, in the terms of S3.

use crate::http::Request;
use crate::s3::state::bucket::Bucket;
use crate::s3::state::checksum::{self, Algorithm, Checksum};
use crate::s3::state::conditions::{ETags, ReadConditions, WriteConditions, unquote};
use crate::s3::state::error::{Result, S3Error};
use crate::s3::time;

/// A request on its way to an operation.
#[derive(Debug, Clone, Copy)]
pub(super) struct Context<'a> {
    pub(super) request: &'a Request,
    pub(super) bucket: &'a str,
    pub(super) key: &'a str,
    /// Seconds since 1970.
    pub(super) now: u64,
}

impl<'a> Context<'a> {
    pub(super) fn new(request: &'a Request) -> Self {
        Self {
            request,
            bucket: request.bucket.as_deref().unwrap_or_default(),
            key: request.key.as_deref().unwrap_or_default(),
            now: time::seconds(request.now),
        }
    }

    pub(super) fn query(&self, name: &str) -> Option<&'a str> {
        let found = self.request.query.iter().find(|(known, _)| known == name);
        found.map(|(_, value)| value.as_str())
    }

    /// A header as text; one that is no UTF-8 counts as absent.
    pub(super) fn header(&self, name: &str) -> Option<&'a str> {
        let value = self.request.headers.get(name)?;
        std::str::from_utf8(value.as_bytes()).ok().map(str::trim)
    }

    /// The path of the request.
    pub(super) fn resource(&self) -> String {
        match (&self.request.bucket, &self.request.key) {
            (Some(bucket), Some(key)) => format!("/{bucket}/{key}"),
            (Some(bucket), None) => format!("/{bucket}"),
            _ => "/".to_owned(),
        }
    }

    pub(super) fn account(&self) -> Option<&'a str> {
        self.request.identity.as_ref().map(|identity| identity.account.as_str())
    }

    /// The version that the request names.
    pub(super) fn version(&self) -> Result<Option<&'a str>> {
        match self.query("versionId") {
            Some("") => {
                let message = "Version id cannot be the empty string";
                Err(S3Error::invalid_argument(message, "versionId", ""))
            }
            version => Ok(version),
        }
    }

    /// A number of the query between 0 and a limit; greater ones are cut to it.
    pub(super) fn limit(&self, name: &str, limit: usize) -> Result<usize> {
        let Some(text) = self.query(name).filter(|text| !text.is_empty()) else { return Ok(limit) };
        match text.parse::<i32>().ok().and_then(|number| usize::try_from(number).ok()) {
            Some(number) => Ok(number.min(limit)),
            None => {
                let message = format!("Provided {name} not an integer or within integer range");
                Err(S3Error::invalid_argument(message, name, text))
            }
        }
    }

    /// Whether names are to be shown encoded.
    pub(super) fn url_encoding(&self) -> Result<bool> {
        match self.query("encoding-type") {
            None | Some("") => Ok(false),
            Some("url") => Ok(true),
            Some(other) => {
                let message = "Invalid Encoding Method specified in Request";
                Err(S3Error::invalid_argument(message, "encoding-type", other))
            }
        }
    }

    /// The conditions of a read; of a copy source with its prefix.
    pub(super) fn read_conditions(&self, prefix: &str) -> ReadConditions {
        let header = |name: &str| self.header(&format!("{prefix}{name}"));
        let date = |name| header(name).and_then(time::parse_http_date);
        ReadConditions {
            if_match: header("if-match").map(ETags::parse),
            if_none_match: header("if-none-match").map(ETags::parse),
            if_modified_since: date("if-modified-since"),
            if_unmodified_since: date("if-unmodified-since"),
        }
    }

    /// The conditions of a write: S3 knows `If-None-Match: *` and `If-Match` with one ETag.
    pub(super) fn write_conditions(&self) -> Result<WriteConditions> {
        let (if_match, if_none_match) = (self.header("if-match"), self.header("if-none-match"));
        match (if_match, if_none_match) {
            (Some(_), Some(_)) => Err(S3Error::not_implemented("If-Match,If-None-Match")),
            (Some("*"), _) => Err(S3Error::not_implemented("If-Match")),
            (_, Some(etag)) if etag != "*" => Err(S3Error::not_implemented("If-None-Match")),
            _ => Ok(WriteConditions {
                if_match: if_match.map(|etag| unquote(etag).to_owned()),
                if_absent: if_none_match.is_some(),
            }),
        }
    }

    /// The checksum that came with the body as a header or as a trailer, not verified.
    pub(super) fn given_checksum(&self) -> Result<Option<(Algorithm, String)>> {
        let mut found = None;
        for algorithm in Algorithm::ALL {
            let name = algorithm.header();
            let value = self.header(name).or_else(|| self.trailer(name));
            let Some(value) = value else { continue };
            if found.is_some() {
                return Err(S3Error::invalid_request(
                    "Expecting a single x-amz-checksum- header. Multiple checksum Types are not \
                     allowed.",
                ));
            }
            found = Some((algorithm, value.to_owned()));
        }
        Ok(found)
    }

    fn trailer(&self, name: &str) -> Option<&'a str> {
        let value = self.request.trailers.get(name)?;
        std::str::from_utf8(value.as_bytes()).ok().map(str::trim)
    }

    /// Verifies the body against all digests that came with it.
    pub(super) fn verified_body(&self) -> Result<Option<Checksum>> {
        let body = &self.request.body;
        if let Some(md5) = self.header("content-md5") {
            checksum::verify_md5(md5, body)?;
        }
        let given = self.given_checksum()?;
        if let Some(announced) = self.header("x-amz-trailer") {
            let announced = announced.to_ascii_lowercase();
            let missing =
                announced.starts_with("x-amz-checksum-") && self.trailer(&announced).is_none();
            if missing {
                let message = "The request contained trailing data that was not well-formed or did \
                               not conform to our published schema.";
                return Err(S3Error::new("MalformedTrailerError", message));
            }
        }
        if let Some(name) = self.header("x-amz-sdk-checksum-algorithm") {
            check_announced(name, given.as_ref())?;
        }
        given.map(|(algorithm, value)| Checksum::verified(algorithm, &value, body)).transpose()
    }

    /// Whether a digest of the body came with it, as some operations demand.
    pub(super) fn require_digest(&self) -> Result<()> {
        if self.header("content-md5").is_some() || self.given_checksum()?.is_some() {
            return Ok(());
        }
        Err(S3Error::invalid_request(
            "Missing required header for this request: Content-MD5 OR x-amz-checksum-*",
        ))
    }

    /// Checks who owns a bucket against what the caller expects.
    pub(super) fn check_owner(&self, header: &str, bucket: &Bucket) -> Result<()> {
        match self.header(header) {
            Some(expected) if expected != bucket.owner => Err(S3Error::access_denied()),
            _ => Ok(()),
        }
    }
}

fn check_announced(name: &str, given: Option<&(Algorithm, String)>) -> Result<()> {
    let announced = Algorithm::from_name(name);
    match (announced, given) {
        (Some(announced), Some((algorithm, _))) if announced == *algorithm => Ok(()),
        (Some(_), None) => Err(S3Error::invalid_request(
            "x-amz-sdk-checksum-algorithm specified, but no corresponding x-amz-checksum-* or \
             x-amz-trailer headers were found.",
        )),
        _ => Err(S3Error::invalid_request(
            "Value for x-amz-sdk-checksum-algorithm header is invalid.",
        )),
    }
}
