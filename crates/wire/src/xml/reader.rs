use std::borrow::Cow;

use polycloud_core::{Error, ErrorKind, Result};

use super::token::{Reason, TOO_EARLY, Tag, Token, Tokens};

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
    tokens: Tokens<'a>,
    size: usize,
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
    Failed(Reason),
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
        let (tokens, place) = match open(document, limits) {
            Ok(tokens) => (tokens, Place::Prolog),
            Err(reason) => (Tokens::default(), Place::Failed(reason)),
        };
        Self { tokens, size: document.len(), limits, open: Vec::new(), child: None, place }
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

    fn fail(&mut self, reason: Reason) -> Error {
        self.place = Place::Failed(reason);
        let position = self.size - self.tokens.left();
        Error::new(ErrorKind::InvalidResponse)
            .with_message(format!("malformed XML before byte {position}: {reason}"))
    }

    fn step(&mut self) -> Result<Option<Event<'a>>, Reason> {
        if let Place::Failed(reason) = self.place {
            return Err(reason);
        }
        if let Some(child) = self.child.take() {
            return self.element(child).map(Some);
        }
        loop {
            match self.tokens.next()? {
                Token::Start(tag) => return self.element(tag).map(Some),
                Token::End(name) => return self.end(name).map(Some),
                Token::Text(text) if is_blank(text) => {}
                Token::Text(_) | Token::Char(_) | Token::Verbatim(_) => {
                    return Err("text beside elements");
                }
                Token::Eof if self.place == Place::Epilog => return Ok(None),
                Token::Eof => return Err(TOO_EARLY),
            }
        }
    }

    fn element(&mut self, tag: Tag<'a>) -> Result<Event<'a>, Reason> {
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
        if let Some(text) = self.tokens.plain(tag.name) {
            self.check_text(text)?;
            return Ok(self.leaf(tag, Cow::Borrowed(text)));
        }
        let (mut text, mut blank) = (Cow::Borrowed(""), true);
        loop {
            match self.tokens.next()? {
                Token::End(name) if name == tag.name => return Ok(self.leaf(tag, text)),
                Token::End(_) => return Err("an end tag that does not match"),
                Token::Start(_) if !blank => return Err("text beside elements"),
                Token::Start(child) => {
                    self.child = Some(child);
                    self.open.push(tag.name);
                    return Ok(Event::Start(local(tag.name)));
                }
                Token::Text(more) => {
                    blank = blank && is_blank(more);
                    self.join(&mut text, more)?;
                }
                Token::Verbatim(more) => {
                    blank = false;
                    self.join(&mut text, more)?;
                }
                Token::Char(char) => {
                    blank = false;
                    text.to_mut().push(char);
                    self.check_text(&text)?;
                }
                Token::Eof => return Err(TOO_EARLY),
            }
        }
    }

    fn leaf(&mut self, tag: Tag<'a>, text: Cow<'a, str>) -> Event<'a> {
        self.closed();
        Event::Leaf(local(tag.name), text)
    }

    fn end(&mut self, name: &'a str) -> Result<Event<'a>, Reason> {
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

    fn join(&self, text: &mut Cow<'a, str>, more: &'a str) -> Result<(), Reason> {
        if text.is_empty() {
            *text = Cow::Borrowed(more);
        } else {
            text.to_mut().push_str(more);
        }
        self.check_text(text)
    }

    fn check_text(&self, text: &str) -> Result<(), Reason> {
        if text.len() > self.limits.text { Err("text longer than the limit") } else { Ok(()) }
    }
}

fn open(document: &[u8], limits: Limits) -> Result<Tokens<'_>, Reason> {
    if document.len() > limits.document {
        return Err("larger than the limit");
    }
    let document = std::str::from_utf8(document).map_err(|_| "not UTF-8")?;
    Tokens::new(document.strip_prefix('\u{feff}').unwrap_or(document), limits.attributes)
}

fn is_blank(text: &str) -> bool {
    text.bytes().all(|byte| matches!(byte, b' ' | b'\t' | b'\r' | b'\n'))
}

fn local(name: &str) -> &str {
    name.bytes().rposition(|byte| byte == b':').and_then(|at| name.get(at + 1..)).unwrap_or(name)
}
