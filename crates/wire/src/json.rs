//! Reading JSON within limits.

use polycloud_core::{Error, ErrorKind, Result};
use serde::de::DeserializeOwned;
use serde_json::error::Category;

/// Reads a document of at most `limit` bytes, nested at most 128 levels deep.
///
/// Errors tell the place of what is wrong and nothing of the content, which may be secret.
///
/// # Errors
/// [`InvalidResponse`](ErrorKind::InvalidResponse) for what is larger, malformed or of another shape.
///
/// ```
/// #[derive(serde::Deserialize)]
/// struct Answer {
///     names: Vec<String>,
/// }
/// let answer: Answer = polycloud_wire::json::from_slice(br#"{"names":["a"]}"#, 1024)?;
/// assert_eq!(answer.names, ["a"]);
/// # Ok::<(), polycloud_core::Error>(())
/// ```
pub fn from_slice<T: DeserializeOwned>(document: &[u8], limit: usize) -> Result<T> {
    if document.len() > limit {
        return Err(invalid(format!("JSON of {} bytes, above the limit", document.len())));
    }
    serde_json::from_slice(document).map_err(|error| {
        let what = match error.classify() {
            Category::Data => "JSON of another shape",
            Category::Eof => "JSON that ends too early",
            Category::Syntax | Category::Io => "malformed JSON",
        };
        invalid(format!("{what}, at line {} column {}", error.line(), error.column()))
    })
}

fn invalid(message: String) -> Error {
    Error::new(ErrorKind::InvalidResponse).with_message(message)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use proptest::prelude::*;
    use serde_json::Value;

    use super::*;

    fn refusal(document: impl AsRef<[u8]>) -> String {
        let error = from_slice::<BTreeMap<String, u64>>(document.as_ref(), 1 << 20).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::InvalidResponse);
        format!("{error} {error:?}")
    }

    #[test]
    fn what_does_not_fit_is_refused_by_place_only() {
        assert!(refusal("").contains("too early"));
        assert!(refusal("{\"a\":").contains("too early"));
        assert!(refusal("{\n\"a\":1,}").contains("malformed JSON, at line 2"));
        for secret in ["{\"a\":\"c4n4ry\"}", "\"c4n4ry\"", "c4n4ry", "{\"a\":1}c4n4ry"] {
            assert!(!refusal(secret).contains("c4n4ry"), "{secret}");
        }
    }

    #[test]
    fn hostile_documents_are_refused() {
        for nested in ["[".repeat(200_000), "{\"a\":".repeat(100_000)] {
            assert!(from_slice::<Value>(nested.as_bytes(), 1 << 20).is_err());
        }
        assert!(refusal("{\"a\":1e999}").contains("JSON"));
        assert!(refusal("{\"a\":-1}").contains("another shape"));
        assert!(refusal("{\"a\":99999999999999999999}").contains("another shape"));
        assert!(refusal(b"{\"\xff\":1}").contains("JSON"));
        assert!(from_slice::<Value>(b"[1]", 3).is_ok());
        assert!(from_slice::<Value>(b"[10]", 3).unwrap_err().message().contains("limit"));
    }

    proptest! {
        #[test]
        fn any_bytes_end(bytes in proptest::collection::vec(any::<u8>(), 0..200), like in "[\\[\\]{}\",:0-9a-z.\\\\-]{0,60}") {
            let _ = from_slice::<Value>(&bytes, 100);
            let _ = from_slice::<Value>(like.as_bytes(), 100);
        }
    }
}
