//! Bodies in chunks (`aws-chunked`): signed or not, with trailers or without.

use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue};

use super::crypto::{self, hmac, same, sha256_hex};
use super::error::{AuthError, Result};

/// Only the last chunk may be smaller.
const MIN_CHUNK: usize = 8192;

/// The longest line of framing: a chunk header or a trailer.
const MAX_LINE: usize = 4096;

const MAX_TRAILERS: usize = 16;

const EMPTY_SHA256: &str = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";

/// How a body is framed.
#[derive(Debug)]
pub(crate) struct Framing {
    signer: Option<Signer>,
    trailer: bool,
    /// Length of the body without framing.
    decoded: u64,
    /// Names of the trailers that the head announces.
    announced: Vec<String>,
}

/// Signs one chunk after the other.
#[derive(Clone)]
pub(crate) struct Signer {
    key: [u8; 32],
    time: String,
    scope: String,
    previous: String,
}

impl std::fmt::Debug for Signer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Signer").field("scope", &self.scope).finish_non_exhaustive()
    }
}

impl Signer {
    pub(crate) fn new(key: [u8; 32], time: String, scope: String, seed: String) -> Self {
        Self { key, time, scope, previous: seed }
    }

    fn check_chunk(&mut self, data: &[u8], given: Option<&str>) -> Result<()> {
        self.check("PAYLOAD", &format!("{EMPTY_SHA256}\n{}", sha256_hex(data)), given)
    }

    fn check_trailer(&mut self, lines: &str, given: Option<&str>) -> Result<()> {
        self.check("TRAILER", &sha256_hex(lines.as_bytes()), given)
    }

    fn check(&mut self, what: &str, digests: &str, given: Option<&str>) -> Result<()> {
        let text = format!(
            "AWS4-HMAC-SHA256-{what}\n{}\n{}\n{}\n{digests}",
            self.time, self.scope, self.previous
        );
        let expected = crypto::hex(&hmac(&self.key, text.as_bytes()));
        let given = given.unwrap_or_default();
        if !same(&expected, given) {
            return Err(AuthError::mismatch()
                .with("StringToSign", text)
                .with("SignatureProvided", given));
        }
        self.previous = expected;
        Ok(())
    }
}

impl Framing {
    pub(crate) fn new(signer: Option<Signer>, trailer: bool, headers: &HeaderMap) -> Result<Self> {
        let text = |name: &str| headers.get(name).and_then(|value| value.to_str().ok());
        let decoded = text("x-amz-decoded-content-length").ok_or_else(|| {
            let message = "You must provide the Content-Length HTTP header.";
            AuthError::new("MissingContentLength", message)
        })?;
        let decoded = decoded.parse().map_err(|_| {
            AuthError::new("InvalidArgument", "x-amz-decoded-content-length must be a number")
        })?;
        let announced = text("x-amz-trailer").unwrap_or_default().split(',');
        let announced = announced.map(|name| name.trim().to_ascii_lowercase());
        let announced = announced.filter(|name| !name.is_empty()).collect();
        Ok(Self { signer, trailer, decoded, announced })
    }

    /// Takes the framing out of a body, in place, and returns the trailers.
    pub(crate) fn decode(mut self, mut body: Vec<u8>) -> Result<(Bytes, HeaderMap)> {
        let mut read = 0;
        let mut written = 0;
        let mut short = false;
        loop {
            let (size, signature) = self.chunk_header(&body, &mut read)?;
            let end = read.checked_add(size).ok_or_else(AuthError::incomplete_body)?;
            let data = body.get(read..end).ok_or_else(AuthError::incomplete_body)?;
            if let Some(signer) = &mut self.signer {
                signer.check_chunk(data, signature.as_deref())?;
            }
            if size == 0 {
                break;
            }
            if short {
                let message = "Only the last chunk is allowed to have a size less than 8192 bytes";
                return Err(AuthError::new("InvalidChunkSizeError", message));
            }
            short = size < MIN_CHUNK;
            if body.get(end..end + 2) != Some(b"\r\n") {
                return Err(AuthError::incomplete_body());
            }
            body.copy_within(read..end, written);
            written += size;
            read = end + 2;
        }
        let trailers = self.trailers(body.get(read..).unwrap_or_default())?;
        if u64::try_from(written) != Ok(self.decoded) {
            return Err(AuthError::incomplete_body());
        }
        body.truncate(written);
        Ok((body.into(), trailers))
    }

    /// Reads `SIZE;chunk-signature=SIGNATURE`.
    fn chunk_header(&self, body: &[u8], read: &mut usize) -> Result<(usize, Option<String>)> {
        let rest = body.get(*read..).unwrap_or_default();
        let line = line(rest).ok_or_else(AuthError::incomplete_body)?;
        *read += line.len() + 2;
        let (size, extension) = line.split_once(';').unwrap_or((line, ""));
        let digits = !size.is_empty() && size.bytes().all(|byte| byte.is_ascii_hexdigit());
        let size = usize::from_str_radix(size, 16).ok().filter(|_| digits);
        let signature = extension.strip_prefix("chunk-signature=").map(str::to_owned);
        size.map(|size| (size, signature)).ok_or_else(AuthError::incomplete_body)
    }

    /// Reads what follows the last chunk: trailers, their signature, an empty line.
    fn trailers(&mut self, mut rest: &[u8]) -> Result<HeaderMap> {
        let mut trailers = HeaderMap::new();
        let mut signature = None;
        let mut lines = Vec::new();
        while !rest.is_empty() {
            let line = line(rest).ok_or_else(AuthError::malformed_trailer)?;
            rest = rest.get(line.len() + 2..).unwrap_or_default();
            if line.is_empty() {
                break;
            }
            let (name, value) = line.split_once(':').ok_or_else(AuthError::malformed_trailer)?;
            let (name, value) = (name.trim().to_ascii_lowercase(), value.trim());
            if name == "x-amz-trailer-signature" {
                signature = Some(value);
                continue;
            }
            lines.push(format!("{name}:{value}\n"));
            insert(&mut trailers, &name, value)?;
        }
        lines.sort_unstable();
        self.check_trailers(&trailers, rest, &lines.concat(), signature)?;
        Ok(trailers)
    }

    fn check_trailers(
        &mut self,
        trailers: &HeaderMap,
        rest: &[u8],
        lines: &str,
        signature: Option<&str>,
    ) -> Result<()> {
        let as_announced = self.announced.len() == trailers.len()
            && self.announced.iter().all(|name| trailers.contains_key(name));
        if !rest.is_empty() || !as_announced || (!self.trailer && !trailers.is_empty()) {
            return Err(AuthError::malformed_trailer());
        }
        match &mut self.signer {
            Some(signer) if self.trailer => signer.check_trailer(lines, signature),
            _ => Ok(()),
        }
    }
}

fn insert(trailers: &mut HeaderMap, name: &str, value: &str) -> Result<()> {
    let name = HeaderName::from_bytes(name.as_bytes());
    match (name, HeaderValue::from_str(value)) {
        (Ok(name), Ok(value)) if trailers.len() < MAX_TRAILERS && !trailers.contains_key(&name) => {
            trailers.insert(name, value);
            Ok(())
        }
        _ => Err(AuthError::malformed_trailer()),
    }
}

/// The text before the first CRLF.
fn line(bytes: &[u8]) -> Option<&str> {
    let window = bytes.get(..MAX_LINE.min(bytes.len()))?;
    let end = window.windows(2).position(|pair| pair == b"\r\n")?;
    std::str::from_utf8(window.get(..end)?).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn framing(decoded: u64, announced: &[&str]) -> Framing {
        let announced = announced.iter().map(|name| (*name).to_owned()).collect();
        Framing { signer: None, trailer: true, decoded, announced }
    }

    fn code(framing: Framing, body: &str) -> &'static str {
        framing.decode(body.as_bytes().to_vec()).unwrap_err().code
    }

    #[test]
    fn chunks_are_joined() {
        let first = "x".repeat(MIN_CHUNK);
        let body =
            format!("2000\r\n{first}\r\n3\r\nabc\r\n0\r\nx-amz-checksum-crc32:AAAA==\r\n\r\n");
        let (body, trailers) =
            framing(8195, &["x-amz-checksum-crc32"]).decode(body.into_bytes()).unwrap();
        assert_eq!(body, format!("{first}abc"));
        assert_eq!(trailers["x-amz-checksum-crc32"], "AAAA==");
        let (body, _) = framing(0, &[]).decode(b"0\r\n\r\n".to_vec()).unwrap();
        assert_eq!(body, "");
    }

    #[test]
    fn broken_framing_is_refused() {
        for (decoded, body) in [
            (3, ""),
            (3, "3\r\nabc"),
            (3, "3\r\nabc\r\n"),
            (3, "4\r\nabc\r\n0\r\n\r\n"),
            (4, "3\r\nabc\r\n0\r\n\r\n"),
            (2, "3\r\nabc\r\n0\r\n\r\n"),
            (3, "+3\r\nabc\r\n0\r\n\r\n"),
            (3, "ffffffffffffffff\r\nabc\r\n0\r\n\r\n"),
            (3, "ffffffffffffffffff\r\nabc\r\n0\r\n\r\n"),
            (3, "3abc"),
        ] {
            assert_eq!(code(framing(decoded, &[]), body), "IncompleteBody", "{body:?}");
        }
        let small = "1\r\na\r\n1\r\nb\r\n0\r\n\r\n";
        assert_eq!(code(framing(2, &[]), small), "InvalidChunkSizeError");
    }

    #[test]
    fn trailers_are_those_announced() {
        for (announced, trailers) in [
            (&["x-a"][..], "\r\n"),
            (&["x-a"], "x-b:1\r\n\r\n"),
            (&[], "x-a:1\r\n\r\n"),
            (&["x-a"], "x-a:1\r\nx-a:2\r\n\r\n"),
            (&["x-a"], "x-a\r\n\r\n"),
            (&["x-a"], "x-a:1\r\n\r\nmore"),
        ] {
            let body = format!("0\r\n{trailers}");
            assert_eq!(code(framing(0, announced), &body), "MalformedTrailerError", "{body:?}");
        }
    }
}
