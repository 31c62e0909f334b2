//! Writing XML straight into one text.

use std::fmt::Write as _;

const NAMESPACE: &str = "http://s3.amazonaws.com/doc/2006-03-01/";

/// A document under construction.
#[derive(Debug)]
pub(super) struct Xml {
    text: String,
    root: &'static str,
}

impl Xml {
    /// A document whose root is in the namespace of S3.
    pub(super) fn document(root: &'static str) -> Self {
        let mut xml = Self::start();
        let _ = write!(xml, "<{root} xmlns=\"{NAMESPACE}\">");
        Self { text: xml, root }
    }

    /// A document without a namespace.
    pub(super) fn plain(root: &'static str) -> Self {
        let mut xml = Self::start();
        let _ = write!(xml, "<{root}>");
        Self { text: xml, root }
    }

    fn start() -> String {
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n".to_owned()
    }

    pub(super) fn reserve(&mut self, bytes: usize) {
        self.text.reserve(bytes);
    }

    pub(super) fn open(&mut self, element: &str) {
        self.text.push('<');
        self.text.push_str(element);
        self.text.push('>');
    }

    pub(super) fn close(&mut self, element: &str) {
        self.text.push_str("</");
        self.text.push_str(element);
        self.text.push('>');
    }

    /// An element with a text.
    pub(super) fn text(&mut self, element: &str, text: &str) {
        self.open(element);
        escape(text, &mut self.text);
        self.close(element);
    }

    pub(super) fn number(&mut self, element: &str, number: impl std::fmt::Display) {
        self.open(element);
        let _ = write!(self.text, "{number}");
        self.close(element);
    }

    pub(super) fn boolean(&mut self, element: &str, value: bool) {
        self.number(element, value);
    }

    pub(super) fn etag(&mut self, etag: &str) {
        let _ = write!(self.text, "<ETag>&quot;{etag}&quot;</ETag>");
    }

    /// The account that owns something.
    pub(super) fn owner(&mut self, element: &str, account: &str) {
        self.open(element);
        self.text("ID", account);
        self.text("DisplayName", account);
        self.close(element);
    }

    /// Markup as it is.
    pub(super) fn raw(&mut self, markup: &str) {
        self.text.push_str(markup);
    }

    pub(super) fn finish(mut self) -> String {
        let root = self.root;
        self.close(root);
        self.text
    }
}

/// Characters that XML 1.0 cannot carry become references all the same, as S3 writes them.
fn escape(text: &str, into: &mut String) {
    let mut rest = text;
    let special = |c: char| {
        matches!(c, '&' | '<' | '>' | '"' | '\u{0}'..='\u{1f}' | '\u{7f}' | '\u{fffe}' | '\u{ffff}')
    };
    while let Some(at) = rest.find(special) {
        let (before, after) = rest.split_at(at);
        into.push_str(before);
        let mut characters = after.chars();
        match characters.next() {
            Some('&') => into.push_str("&amp;"),
            Some('<') => into.push_str("&lt;"),
            Some('>') => into.push_str("&gt;"),
            Some('"') => into.push_str("&quot;"),
            Some(other) => {
                let _ = write!(into, "&#x{:x};", u32::from(other));
            }
            None => {}
        }
        rest = characters.as_str();
    }
    into.push_str(rest);
}

/// A text as `encoding-type=url` shows it: like a form, but slashes stay.
pub(super) fn url_encode(text: &str) -> String {
    let mut encoded = String::with_capacity(text.len());
    for byte in text.bytes() {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'_' | b'.' | b'*' | b'/' => {
                encoded.push(char::from(byte));
            }
            b' ' => encoded.push('+'),
            _ => {
                let _ = write!(encoded, "%{byte:02X}");
            }
        }
    }
    encoded
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_are_escaped() {
        let mut xml = Xml::plain("A");
        xml.text("B", "a<b>&\"c\"\u{1}\r\n\u{fffe}ü😀");
        let expected = "<B>a&lt;b&gt;&amp;&quot;c&quot;&#x1;&#xd;&#xa;&#xfffe;ü😀</B>";
        assert!(xml.finish().ends_with(&format!("<A>{expected}</A>")));
    }

    #[test]
    fn urls_are_encoded_like_forms() {
        assert_eq!(url_encode("a b/ü(3)~*+%"), "a+b/%C3%BC%283%29%7E*%2B%25");
    }
}
