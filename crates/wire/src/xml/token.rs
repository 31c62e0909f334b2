use memchr::{memchr, memchr2, memmem};

/// Why a document is of no use.
pub(super) type Reason = &'static str;

pub(super) const TOO_EARLY: Reason = "it ends too early";
const NOT_ACCEPTED: Reason = "markup that is not accepted";

/// A start tag.
#[derive(Debug, Clone, Copy)]
pub(super) struct Tag<'a> {
    /// The name with prefix.
    pub(super) name: &'a str,
    /// Whether the tag is an element of its own.
    pub(super) empty: bool,
}

#[derive(Debug, Clone, Copy)]
pub(super) enum Token<'a> {
    Start(Tag<'a>),
    /// An end tag, by its name with prefix.
    End(&'a str),
    Text(&'a str),
    /// Text that counts even if it is white space.
    Verbatim(&'a str),
    /// A reference such as `&amp;`, resolved.
    Char(char),
    Eof,
}

/// Cuts a document into tokens, each of which is looked at once.
#[derive(Debug, Default)]
pub(super) struct Tokens<'a> {
    rest: &'a str,
    attributes: usize,
}

impl<'a> Tokens<'a> {
    /// The tokens of a document. A declaration of a character encoding is checked here.
    pub(super) fn new(document: &'a str, attributes: usize) -> Result<Self, Reason> {
        Ok(Self { rest: behind_declaration(document)?, attributes })
    }

    /// How many bytes are left.
    pub(super) fn left(&self) -> usize {
        self.rest.len()
    }

    pub(super) fn next(&mut self) -> Result<Token<'a>, Reason> {
        loop {
            return match self.rest.as_bytes() {
                [] => Ok(Token::Eof),
                [b'<', b'/', ..] => self.end(),
                [b'<', b'!', ..] => match self.bang()? {
                    Some(text) => Ok(Token::Verbatim(text)),
                    None => continue,
                },
                [b'<', b'?', ..] => Err("a processing instruction, which is not accepted"),
                [b'<', ..] => self.start(),
                [b'&', ..] => self.reference(),
                bytes => {
                    let size = memchr2(b'<', b'&', bytes).unwrap_or(bytes.len());
                    Ok(Token::Text(self.take(size, 0)))
                }
            };
        }
    }

    /// The text up to the end tag of this name, if nothing else is in between: the shortest way through
    /// most of a document.
    pub(super) fn plain(&mut self, name: &str) -> Option<&'a str> {
        let size = memchr2(b'<', b'&', self.rest.as_bytes())?;
        let end = self.rest.as_bytes().get(size..)?.strip_prefix(b"</")?;
        match end.strip_prefix(name.as_bytes())? {
            [b'>', ..] => Some(self.take(size, name.len() + 3)),
            _ => None,
        }
    }

    /// The next `size` bytes; goes behind them and `skip` bytes more.
    fn take(&mut self, size: usize, skip: usize) -> &'a str {
        let taken = self.rest.get(..size).unwrap_or_default();
        self.rest = self.rest.get(size + skip..).unwrap_or_default();
        taken
    }

    fn end(&mut self) -> Result<Token<'a>, Reason> {
        let close = memchr(b'>', self.rest.as_bytes()).ok_or(TOO_EARLY)?;
        let name = self.take(close, 1).get(2..).unwrap_or_default();
        Ok(Token::End(name.trim_ascii_end()))
    }

    /// The text of a CDATA section, or nothing for a comment.
    fn bang(&mut self) -> Result<Option<&'a str>, Reason> {
        for (open, close, is_text) in [("<!--", "-->", false), ("<![CDATA[", "]]>", true)] {
            if let Some(inner) = self.rest.strip_prefix(open) {
                let size = memmem::find(inner.as_bytes(), close.as_bytes()).ok_or(TOO_EARLY)?;
                self.rest = inner;
                let inner = self.take(size, close.len());
                return Ok(is_text.then_some(inner));
            }
        }
        Err(if self.rest.starts_with("<!DOCTYPE") {
            "a document type, which is not accepted"
        } else {
            NOT_ACCEPTED
        })
    }

    fn start(&mut self) -> Result<Token<'a>, Reason> {
        let inner = self.rest.as_bytes().split_first().map(|(_, inner)| inner).unwrap_or_default();
        let size = inner.iter().position(|byte| !is_name_byte(*byte)).ok_or(TOO_EARLY)?;
        let name = self.rest.get(1..=size).unwrap_or_default();
        if !is_name(name) {
            return Err("not a name");
        }
        self.rest = self.rest.get(1 + size..).unwrap_or_default();
        let empty = match self.rest.as_bytes() {
            [b'>', ..] => {
                self.take(1, 0);
                false
            }
            _ => self.attributes()?,
        };
        Ok(Token::Start(Tag { name, empty }))
    }

    /// Goes through the attributes and behind the tag; says whether it is an element of its own.
    fn attributes(&mut self) -> Result<bool, Reason> {
        let mut count = 0;
        loop {
            let behind_space = self.rest.trim_ascii_start();
            let spaced = behind_space.len() < self.rest.len();
            self.rest = behind_space;
            match self.rest.as_bytes() {
                [] | [b'/'] => return Err(TOO_EARLY),
                [b'>', ..] => {
                    self.take(1, 0);
                    return Ok(false);
                }
                [b'/', b'>', ..] => {
                    self.take(2, 0);
                    return Ok(true);
                }
                _ if !spaced => return Err("not a tag"),
                _ => self.attribute()?,
            }
            count += 1;
            if count > self.attributes {
                return Err("more attributes than the limit");
            }
        }
    }

    fn attribute(&mut self) -> Result<(), Reason> {
        let size = self.rest.bytes().position(|byte| !is_name_byte(byte)).ok_or(TOO_EARLY)?;
        if !is_name(self.take(size, 0)) {
            return Err("not an attribute");
        }
        let equals = self.rest.trim_ascii_start();
        let value = equals.strip_prefix('=').ok_or("not an attribute")?.trim_ascii_start();
        let quote = *value.as_bytes().first().ok_or(TOO_EARLY)?;
        if !matches!(quote, b'"' | b'\'') {
            return Err("not an attribute");
        }
        self.rest = value.get(1..).unwrap_or_default();
        let size = memchr(quote, self.rest.as_bytes()).ok_or(TOO_EARLY)?;
        check_value(self.take(size, 1))
    }

    fn reference(&mut self) -> Result<Token<'a>, Reason> {
        // The longest reference that can be meant has leading zeros; more than this is nonsense.
        let head = self.rest.as_bytes().get(..32).unwrap_or(self.rest.as_bytes());
        let size = memchr(b';', head).ok_or("a lone ampersand")?;
        let char = resolve(self.take(size, 1)).ok_or("an entity, which is not accepted")?;
        Ok(Token::Char(char))
    }
}

/// What follows the XML declaration, if there is one.
fn behind_declaration(document: &str) -> Result<&str, Reason> {
    let Some(inner) = document.strip_prefix("<?xml") else { return Ok(document) };
    let (declaration, rest) = inner.split_once("?>").ok_or(TOO_EARLY)?;
    if !declaration.starts_with(|char: char| char.is_ascii_whitespace()) {
        return Err("a processing instruction, which is not accepted");
    }
    if let Some((_, value)) = declaration.split_once("encoding") {
        let name = value.trim_matches(|char: char| !char.is_ascii_alphanumeric());
        let name = name.split(['"', '\'']).next().unwrap_or_default();
        if !name.eq_ignore_ascii_case("utf-8") && !name.eq_ignore_ascii_case("us-ascii") {
            return Err("not UTF-8");
        }
    }
    Ok(rest)
}

/// Values are not told to anyone, but what is refused in text is refused here.
fn check_value(value: &str) -> Result<(), Reason> {
    let mut parts = value.split('&');
    let plain = parts.next();
    let resolved = parts
        .all(|part| part.split_once(';').is_some_and(|(name, _)| resolve_name(name).is_some()));
    let closed = plain.is_some() && !value.contains('<');
    if resolved && closed { Ok(()) } else { Err("not an attribute") }
}

/// All characters beyond ASCII pass.
fn is_name_byte(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-' | b'.' | b':' | 0x80..)
}

/// Whether a name starts and ends as one, if all of its bytes may be in it.
fn is_name(name: &str) -> bool {
    match name.as_bytes() {
        [first, .., last] => *last != b':' && is_first(*first),
        [only] => is_first(*only),
        [] => false,
    }
}

fn is_first(byte: u8) -> bool {
    byte.is_ascii_alphabetic() || matches!(byte, b'_' | 0x80..)
}

/// The character that a reference such as `&amp` or `&#10` stands for.
fn resolve(reference: &str) -> Option<char> {
    resolve_name(reference.strip_prefix('&')?)
}

fn resolve_name(name: &str) -> Option<char> {
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
    // Characters that XML does not have are there all the same: names of objects may hold them, and
    // services write them like this for want of a better way.
    u32::from_str_radix(digits, radix).ok().and_then(char::from_u32)
}
