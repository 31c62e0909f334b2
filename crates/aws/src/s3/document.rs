//! What is common to XML documents.

use polycloud_core::{Error, ErrorKind, Result};
use polycloud_wire::xml::{Event, Reader};

pub(super) fn malformed(message: impl Into<std::borrow::Cow<'static, str>>) -> Error {
    Error::new(ErrorKind::InvalidResponse).with_message(message)
}

/// The text of the first element of a name.
pub(super) fn leaf(body: &[u8], name: &str) -> Result<Option<String>> {
    let mut reader = Reader::new(body);
    while let Some(event) = reader.next()? {
        match event {
            Event::Leaf(found, text) if found == name => return Ok(Some(text.into_owned())),
            _ => {}
        }
    }
    Ok(None)
}

/// The text of the first element of a name, which has to be there.
pub(super) fn required(body: &[u8], name: &str) -> Result<String> {
    leaf(body, name)?.ok_or_else(|| malformed(format!("the answer has no {name}")))
}
