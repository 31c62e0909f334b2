//! Reading the XML of requests: bounded, without document types and entities of its own.

use quick_xml::Reader;
use quick_xml::events::{BytesRef, Event};

use crate::s3::state::error::{Result, S3Error};

/// Enough for 10,000 parts with checksums, and for 1,000 keys of the greatest length.
const LARGEST: usize = 16 << 20;
const DEEPEST: usize = 16;
const MOST_ELEMENTS: usize = 200_000;

/// An element with what is in it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Element {
    pub(super) name: String,
    pub(super) text: String,
    pub(super) children: Vec<Self>,
}

impl Element {
    /// Parses a document whose root has this name.
    pub(super) fn parse(document: &[u8], root: &str) -> Result<Self> {
        let text = std::str::from_utf8(document).ok().filter(|text| text.len() <= LARGEST);
        let element = text.and_then(parse).filter(|element| element.name == root);
        element.ok_or_else(S3Error::malformed_xml)
    }

    pub(super) fn child(&self, name: &str) -> Option<&Self> {
        self.children.iter().find(|child| child.name == name)
    }

    pub(super) fn all<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a Self> {
        self.children.iter().filter(move |child| child.name == name)
    }

    /// The text of a child.
    pub(super) fn text_of(&self, name: &str) -> Option<&str> {
        self.child(name).map(|child| child.text.as_str())
    }

    /// The text of a child that the schema requires.
    pub(super) fn required(&self, name: &str) -> Result<&str> {
        self.text_of(name).ok_or_else(S3Error::malformed_xml)
    }

    /// A child that has to be a number if it is there.
    pub(super) fn number(&self, name: &str) -> Result<Option<u64>> {
        let text = self.text_of(name).map(str::trim);
        text.map(|text| text.parse().map_err(|_| S3Error::malformed_xml())).transpose()
    }

    /// A child that has to be true or false if it is there.
    pub(super) fn boolean(&self, name: &str) -> Result<Option<bool>> {
        let text = self.text_of(name).map(str::trim);
        text.map(|text| text.parse().map_err(|_| S3Error::malformed_xml())).transpose()
    }

    /// Refuses children that the schema does not know.
    pub(super) fn only(&self, known: &[&str]) -> Result<()> {
        if self.children.iter().all(|child| known.contains(&child.name.as_str())) {
            return Ok(());
        }
        Err(S3Error::malformed_xml())
    }
}

fn parse(text: &str) -> Option<Element> {
    let mut reader = Reader::from_str(text);
    let mut open = Vec::<Element>::new();
    let mut count = 0;
    let mut root = None;
    loop {
        match reader.read_event().ok()? {
            Event::Start(start) => {
                count += 1;
                if open.len() >= DEEPEST || count > MOST_ELEMENTS || root.is_some() {
                    return None;
                }
                open.push(named(start.local_name().as_ref())?);
            }
            Event::Empty(empty) => {
                count += 1;
                if open.len() >= DEEPEST || count > MOST_ELEMENTS || root.is_some() {
                    return None;
                }
                put(named(empty.local_name().as_ref())?, &mut open, &mut root);
            }
            Event::End(_) => put(open.pop()?, &mut open, &mut root),
            Event::Text(text) => push(&mut open, &text.decode().ok()?)?,
            Event::CData(text) => push(&mut open, &text.decode().ok()?)?,
            Event::GeneralRef(reference) => push(&mut open, &resolve(&reference)?)?,
            Event::DocType(_) => return None,
            Event::Eof => return root.filter(|_| open.is_empty()),
            Event::Comment(_) | Event::Decl(_) | Event::PI(_) => {}
        }
    }
}

fn named(name: &[u8]) -> Option<Element> {
    Some(Element { name: std::str::from_utf8(name).ok()?.to_owned(), ..Element::default() })
}

fn put(element: Element, open: &mut [Element], root: &mut Option<Element>) {
    match open.last_mut() {
        Some(parent) => parent.children.push(element),
        None => *root = Some(element),
    }
}

fn push(open: &mut [Element], text: &str) -> Option<()> {
    match open.last_mut() {
        Some(element) => element.text.push_str(text),
        // Outside the root there may be nothing but white space.
        None if text.trim_matches(['\u{feff}', ' ', '\t', '\r', '\n']).is_empty() => {}
        None => return None,
    }
    Some(())
}

fn resolve(reference: &BytesRef<'_>) -> Option<String> {
    if let Some(character) = reference.resolve_char_ref().ok()? {
        return Some(character.to_string());
    }
    let text = match reference.decode().ok()?.as_ref() {
        "amp" => "&",
        "lt" => "<",
        "gt" => ">",
        "quot" => "\"",
        "apos" => "'",
        _ => return None,
    };
    Some(text.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn elements_are_read() {
        let document =
            "<?xml version=\"1.0\"?>\n<A xmlns='x'><B>a&amp;&#x41;<![CDATA[<]]></B><C/></A>\n";
        let element = Element::parse(document.as_bytes(), "A").unwrap();
        assert_eq!(element.text_of("B"), Some("a&A<"));
        assert_eq!(element.text_of("C"), Some(""));
        assert_eq!(element.text_of("D"), None);
        assert!(element.only(&["B"]).is_err());
    }

    #[test]
    fn hostile_documents_are_refused() {
        let deep = format!("{}{}", "<A>".repeat(50), "</A>".repeat(50));
        for document in [
            "",
            "text",
            "<A>",
            "<A></B>",
            "<A/><A/>",
            "<B/>",
            "<A>&unknown;</A>",
            "<!DOCTYPE A [<!ENTITY x \"y\">]><A>&x;</A>",
            "<!DOCTYPE A SYSTEM \"file:///etc/passwd\"><A/>",
            deep.as_str(),
        ] {
            let result = Element::parse(document.as_bytes(), "A");
            assert_eq!(result.unwrap_err().code, "MalformedXML", "{document}");
        }
        assert!(Element::parse(b"<A>\xff</A>", "A").is_err());
    }
}
