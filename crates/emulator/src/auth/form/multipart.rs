//! `multipart/form-data`.

use bytes::Bytes;

use super::{AuthError, Result};

/// All fields before the file together.
const MAX_FIELDS: usize = 20 * 1024;

fn malformed() -> AuthError {
    let message = "The body of your POST request is not well-formed multipart/form-data.";
    AuthError::new("MalformedPOSTRequest", message)
}

/// The fields in front of the file, and the file. What follows the file is ignored.
pub(super) fn parse(body: &Bytes, boundary: &str) -> Result<(Vec<(String, String)>, Bytes)> {
    let first = format!("--{boundary}");
    let between = format!("\r\n--{boundary}");
    // The first boundary may be the first bytes, or follow a preamble.
    let mut at = if body.starts_with(first.as_bytes()) {
        first.len()
    } else {
        find(body, between.as_bytes()).ok_or_else(malformed)? + between.len()
    };
    let mut fields = Vec::new();
    let mut length = 0;
    loop {
        let rest = body.get(at..).ok_or_else(malformed)?;
        if rest.starts_with(b"--") {
            let message = "POST requires exactly one file upload per request.";
            return Err(AuthError::new("IncorrectNumberOfFilesInPostRequest", message));
        }
        let start = at + 2;
        let part = rest.strip_prefix(b"\r\n").ok_or_else(malformed)?;
        let head_end = find(part, b"\r\n\r\n").ok_or_else(malformed)?;
        let head = part.get(..head_end).unwrap_or_default();
        let content_start = start + head_end + 4;
        let content = body.get(content_start..).ok_or_else(malformed)?;
        let content_length = find(content, between.as_bytes()).ok_or_else(malformed)?;
        let content_end = content_start + content_length;
        let part = Part::parse(head)?;
        if part.name == "file" {
            fields.push(("filename".to_owned(), part.filename));
            return Ok((fields, body.slice(content_start..content_end)));
        }
        length += head_end + content_length;
        if length > MAX_FIELDS {
            let message = "Your POST request fields preceding the upload file were too large.";
            return Err(AuthError::new("MaxPostPreDataLengthExceeded", message));
        }
        let value = body.get(content_start..content_end).unwrap_or_default();
        let value = std::str::from_utf8(value).map_err(|_| malformed())?;
        fields.push((part.name, value.to_owned()));
        at = content_end + between.len();
    }
}

struct Part {
    name: String,
    filename: String,
}

impl Part {
    fn parse(head: &[u8]) -> Result<Self> {
        let head = std::str::from_utf8(head).map_err(|_| malformed())?;
        let disposition = head.lines().find_map(|line| {
            let (name, value) = line.split_once(':')?;
            name.trim().eq_ignore_ascii_case("content-disposition").then_some(value)
        });
        let disposition = disposition.ok_or_else(malformed)?;
        let parameter = |wanted: &str| {
            disposition.split(';').find_map(|parameter| {
                let (name, value) = parameter.trim().split_once('=')?;
                (name == wanted).then(|| value.trim_matches('"').to_owned())
            })
        };
        let name = parameter("name").ok_or_else(malformed)?;
        let filename = parameter("filename").unwrap_or_default();
        // Some browsers send the path of the file.
        let filename = filename.rsplit(['/', '\\']).next().unwrap_or_default().to_owned();
        Ok(Self { name, filename })
    }
}

fn find(haystack: &[u8], needle: &[u8]) -> Option<usize> {
    haystack.windows(needle.len()).position(|window| window == needle)
}

#[cfg(test)]
mod tests {
    use super::*;

    const FORM: &str = "--B\r\nContent-Disposition: form-data; name=\"key\"\r\n\r\na/${filename}\r\n\
        --B\r\ncontent-disposition: form-data; name=\"file\"; filename=\"C:\\x\\f.txt\"\r\n\
        Content-Type: text/plain\r\n\r\none\r\ntwo\r\n--B\r\n\
        Content-Disposition: form-data; name=\"late\"\r\n\r\nx\r\n--B--\r\n";

    #[test]
    fn fields_and_file() {
        let (fields, file) = parse(&Bytes::from(FORM), "B").unwrap();
        let expected = [("key", "a/${filename}"), ("filename", "f.txt")];
        assert_eq!(fields, expected.map(|(name, value)| (name.to_owned(), value.to_owned())));
        assert_eq!(file, "one\r\ntwo");
    }

    #[test]
    fn every_cut_is_refused_or_complete() {
        let end = FORM.find("\r\n--B\r\nContent-Disposition: form-data; name=\"late\"").unwrap();
        for cut in 0..FORM.len() {
            let parsed = parse(&Bytes::copy_from_slice(&FORM.as_bytes()[..cut]), "B");
            assert_eq!(parsed.is_ok(), cut >= end + 5, "{cut}");
        }
        let none = "--B\r\nContent-Disposition: form-data; name=\"key\"\r\n\r\na\r\n--B--\r\n";
        let error = parse(&Bytes::from(none), "B").unwrap_err();
        assert_eq!(error.code, "IncorrectNumberOfFilesInPostRequest");
    }
}
