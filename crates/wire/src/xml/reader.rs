use std::borrow::Cow;

use polycloud_core::{Error, ErrorKind, Result};
use quick_xml::escape::unescape;
use quick_xml::events::{BytesDecl, BytesStart, Event as Token};

/// What a document may have at most.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Elements within each other.
    pub depth: usize,
    /// Attributes of an element.
    pub attributes: usize,
    /// Bytes of text in an element.
    pub text: usize,
    /// Bytes in all.
    pub document: usize,
}

impl Limits {
    /// 64 levels, 64 attributes, 1 MiB of text in an element, 16 MiB in all.
    pub const DEFAULT: Self = Self { depth: 64, attributes: 64, text: 1 << 20, document: 16 << 20 };
}

impl Default for Limits {
    fn default() -> Self {
        Self::DEFAULT
    }
}

/// A step through a document. Names are without their prefix.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Event<'a> {
    /// An element that contains elements.
    Start(&'a str),
    /// An element without elements in it, and its text.
    Leaf(&'a str, Cow<'a, str>),
    /// The end of the innermost element that was started.
    End(&'a str),
}

/// Goes through a document from front to back.
///
/// Nothing is copied but text that contains escapes. White space between elements is dropped, text of a
/// [`Leaf`](Event::Leaf) is kept as it is.
#[derive(Debug)]
pub struct Reader<'a> {
    tokens: quick_xml::Reader<&'a [u8]>,
    document: &'a str,
    limits: Limits,
    /// Names with prefix of the elements that are not closed.
    open: Vec<&'a str>,
    /// The first child, which was seen when its parent turned out to be no leaf.
    child: Option<Tag<'a>>,
    place: Place,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Place {
    Prolog,
    Root,
    Epilog,
    /// The document is of no use, for this reason.
    Failed(&'static str),
}

#[derive(Debug, Clone, Copy)]
struct Tag<'a> {
    /// The name with prefix.
    name: &'a str,
    empty: bool,
}

enum Piece<'a> {
    Tag(Tag<'a>),
    End(&'a str),
    Text(&'a str),
    Char(char),
    /// Text that counts even if it is white space.
    Verbatim(&'a str),
    Eof,
}

impl<'a> Reader<'a> {
    /// Reads the document within the default limits.
    #[must_use]
    pub fn new(document: &'a [u8]) -> Self {
        Self::with_limits(document, Limits::DEFAULT)
    }

    /// Reads the document within these limits.
    #[must_use]
    pub fn with_limits(document: &'a [u8], limits: Limits) -> Self {
        // Positions count from behind the byte order mark, which the tokenizer drops by itself.
        let bare = document.strip_prefix(b"\xef\xbb\xbf").unwrap_or(document);
        let (text, place) = if bare.len() > limits.document {
            ("", Place::Failed("larger than the limit"))
        } else {
            match std::str::from_utf8(bare) {
                Ok(text) => (text, Place::Prolog),
                Err(_) => ("", Place::Failed("not UTF-8")),
            }
        };
        let mut tokens = quick_xml::Reader::from_reader(document);
        let config = tokens.config_mut();
        // Names are compared here, where that takes no copy of them.
        config.check_end_names = false;
        config.allow_unmatched_ends = true;
        Self { tokens, document: text, limits, open: Vec::new(), child: None, place }
    }

    /// The next event, or `None` behind the end of the document.
    ///
    /// # Errors
    /// [`InvalidResponse`](ErrorKind::InvalidResponse) for all that is not well-formed, refused or above
    /// the limits, and from then on.
    #[allow(clippy::should_implement_trait, reason = "it can fail, and `?` reads better this way")]
    pub fn next(&mut self) -> Result<Option<Event<'a>>> {
        self.step().map_err(|reason| self.fail(reason))
    }

    /// Goes behind the end of the innermost element that was started, which is that of the
    /// [`Start`](Event::Start) just returned.
    ///
    /// # Errors
    /// Those of [`next`](Self::next).
    pub fn skip(&mut self) -> Result<()> {
        let depth = self.open.len();
        while self.open.len() >= depth && self.next()?.is_some() {}
        Ok(())
    }

    fn fail(&mut self, reason: &'static str) -> Error {
        self.place = Place::Failed(reason);
        let position = self.tokens.buffer_position();
        Error::new(ErrorKind::InvalidResponse)
            .with_message(format!("malformed XML before byte {position}: {reason}"))
    }

    fn step(&mut self) -> Result<Option<Event<'a>>, &'static str> {
        if let Place::Failed(reason) = self.place {
            return Err(reason);
        }
        if let Some(child) = self.child.take() {
            return self.element(child).map(Some);
        }
        loop {
            match self.piece()? {
                Piece::Tag(tag) => return self.element(tag).map(Some),
                Piece::End(name) => return self.end(name).map(Some),
                Piece::Text(text) if is_blank(text) => {}
                Piece::Text(_) | Piece::Char(_) | Piece::Verbatim(_) => {
                    return Err("text beside elements");
                }
                Piece::Eof if self.place == Place::Epilog => return Ok(None),
                Piece::Eof => return Err(TOO_EARLY),
            }
        }
    }

    fn element(&mut self, tag: Tag<'a>) -> Result<Event<'a>, &'static str> {
        if self.open.is_empty() {
            if self.place == Place::Epilog {
                return Err("more than one root element");
            }
            self.place = Place::Root;
        }
        if self.open.len() >= self.limits.depth {
            return Err("elements nested deeper than the limit");
        }
        if tag.empty {
            return Ok(self.leaf(tag, Cow::Borrowed("")));
        }
        let (mut text, mut blank) = (Cow::Borrowed(""), true);
        loop {
            match self.piece()? {
                Piece::End(name) if name == tag.name => return Ok(self.leaf(tag, text)),
                Piece::End(_) => return Err("an end tag that does not match"),
                Piece::Tag(_) if !blank => return Err("text beside elements"),
                Piece::Tag(child) => {
                    self.child = Some(child);
                    self.open.push(tag.name);
                    return Ok(Event::Start(local(tag.name)));
                }
                Piece::Text(more) => {
                    blank = blank && is_blank(more);
                    self.join(&mut text, more)?;
                }
                Piece::Verbatim(more) => {
                    blank = false;
                    self.join(&mut text, more)?;
                }
                Piece::Char(char) => {
                    blank = false;
                    text.to_mut().push(char);
                    self.check_text(&text)?;
                }
                Piece::Eof => return Err(TOO_EARLY),
            }
        }
    }

    fn leaf(&mut self, tag: Tag<'a>, text: Cow<'a, str>) -> Event<'a> {
        self.closed();
        Event::Leaf(local(tag.name), text)
    }

    fn end(&mut self, name: &'a str) -> Result<Event<'a>, &'static str> {
        if self.open.pop() != Some(name) {
            return Err("an end tag that does not match");
        }
        self.closed();
        Ok(Event::End(local(name)))
    }

    fn closed(&mut self) {
        if self.open.is_empty() {
            self.place = Place::Epilog;
        }
    }

    fn join(&self, text: &mut Cow<'a, str>, more: &'a str) -> Result<(), &'static str> {
        if text.is_empty() {
            *text = Cow::Borrowed(more);
        } else {
            text.to_mut().push_str(more);
        }
        self.check_text(text)
    }

    fn check_text(&self, text: &str) -> Result<(), &'static str> {
        if text.len() > self.limits.text { Err("text longer than the limit") } else { Ok(()) }
    }

    fn piece(&mut self) -> Result<Piece<'a>, &'static str> {
        loop {
            let start = self.position();
            let token = self.tokens.read_event().map_err(|_| "not well-formed")?;
            let end = self.position();
            let raw = self.document.get(start..end).unwrap_or_default();
            return Ok(match token {
                Token::Text(_) => Piece::Text(raw),
                Token::Start(tag) => Piece::Tag(self.tag(&tag, raw, false)?),
                Token::Empty(tag) => Piece::Tag(self.tag(&tag, raw, true)?),
                Token::End(_) => Piece::End(end_name(raw)),
                Token::GeneralRef(_) => {
                    Piece::Char(resolve(raw).ok_or("an entity, which is not accepted")?)
                }
                Token::CData(_) => Piece::Verbatim(cdata(raw)),
                Token::Comment(_) => continue,
                Token::Decl(declaration) => {
                    check_declaration(start, &declaration)?;
                    continue;
                }
                Token::Eof if end == self.document.len() => Piece::Eof,
                Token::Eof => return Err(TOO_EARLY),
                Token::DocType(_) => return Err("a document type, which is not accepted"),
                Token::PI(_) => return Err("a processing instruction, which is not accepted"),
            });
        }
    }

    fn position(&self) -> usize {
        usize::try_from(self.tokens.buffer_position()).unwrap_or(usize::MAX)
    }

    fn tag(
        &self,
        tag: &BytesStart<'_>,
        raw: &'a str,
        empty: bool,
    ) -> Result<Tag<'a>, &'static str> {
        let attributes = tag.attributes_raw().len();
        let name_end = raw.len().saturating_sub(attributes + if empty { 2 } else { 1 });
        let name = raw.get(1..name_end).filter(|name| is_name(name)).ok_or("not a name")?;
        if attributes > 0 {
            self.check_attributes(tag)?;
        }
        Ok(Tag { name, empty })
    }

    fn check_attributes(&self, tag: &BytesStart<'_>) -> Result<(), &'static str> {
        // Without the tokenizer's search for repeated names: nobody reads them here.
        for (index, attribute) in tag.attributes().with_checks(false).enumerate() {
            if index >= self.limits.attributes {
                return Err("more attributes than the limit");
            }
            let attribute = attribute.map_err(|_| "not an attribute")?;
            let value = std::str::from_utf8(&attribute.value).map_err(|_| "not UTF-8")?;
            if value.contains('<') || value.contains('&') && unescape(value).is_err() {
                return Err("not an attribute");
            }
        }
        Ok(())
    }
}

const TOO_EARLY: &str = "it ends too early";

fn check_declaration(start: usize, declaration: &BytesDecl<'_>) -> Result<(), &'static str> {
    if start != 0 {
        return Err("an XML declaration that is not at the start");
    }
    match declaration.encoding() {
        None => Ok(()),
        Some(Ok(name))
            if name.eq_ignore_ascii_case(b"utf-8") || name.eq_ignore_ascii_case(b"us-ascii") =>
        {
            Ok(())
        }
        Some(_) => Err("not UTF-8"),
    }
}

fn is_blank(text: &str) -> bool {
    text.bytes().all(is_space)
}

fn is_space(byte: u8) -> bool {
    matches!(byte, b' ' | b'\t' | b'\r' | b'\n')
}

/// Whether nothing is in the name that tells of a broken tag. All characters beyond ASCII pass.
fn is_name(name: &str) -> bool {
    let mut bytes = name.bytes();
    bytes.next().is_some_and(|first| first.is_ascii_alphabetic() || first == b'_' || first >= 0x80)
        && bytes.all(|byte| {
            byte.is_ascii_alphanumeric()
                || matches!(byte, b'_' | b'-' | b'.' | b':')
                || byte >= 0x80
        })
        && !name.ends_with(':')
}

fn local(name: &str) -> &str {
    name.rfind(':').and_then(|colon| name.get(colon + 1..)).unwrap_or(name)
}

fn end_name(raw: &str) -> &str {
    let name = raw.get(2..raw.len().saturating_sub(1)).unwrap_or_default();
    name.trim_end_matches([' ', '\t', '\r', '\n'])
}

fn cdata(raw: &str) -> &str {
    raw.strip_prefix("<![CDATA[").and_then(|text| text.strip_suffix("]]>")).unwrap_or_default()
}

/// The character that a reference such as `&amp;` or `&#10;` stands for.
fn resolve(raw: &str) -> Option<char> {
    let name = raw.strip_prefix('&')?.strip_suffix(';')?;
    let (digits, radix) = match name {
        "lt" => return Some('<'),
        "gt" => return Some('>'),
        "amp" => return Some('&'),
        "quot" => return Some('"'),
        "apos" => return Some('\''),
        _ => match name.strip_prefix("#x") {
            Some(digits) => (digits, 16),
            None => (name.strip_prefix('#')?, 10),
        },
    };
    // The parser of the standard library would take a sign.
    if !digits.starts_with(|first: char| first.is_digit(radix)) {
        return None;
    }
    let char = u32::from_str_radix(digits, radix).ok().and_then(char::from_u32)?;
    (char != '\0').then_some(char)
}
