use polycloud_core::{Error, Result};

/// Writes a document.
///
/// ```
/// use polycloud_wire::xml::Writer;
///
/// let mut writer = Writer::new();
/// writer.start("Delete");
/// writer.leaf("Key", "a<b")?;
/// writer.end("Delete");
/// assert_eq!(writer.finish(), "<Delete><Key>a&lt;b</Key></Delete>");
/// # Ok::<(), polycloud_core::Error>(())
/// ```
#[derive(Debug, Default)]
pub struct Writer(String);

impl Writer {
    /// An empty document.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// An empty document with room for so many bytes.
    #[must_use]
    pub fn with_capacity(bytes: usize) -> Self {
        Self(String::with_capacity(bytes))
    }

    /// Opens an element. The name may be followed by attributes; it is written as it is.
    pub fn start(&mut self, name: &str) {
        self.0.push('<');
        self.0.push_str(name);
        self.0.push('>');
    }

    /// Writes an element that contains text.
    ///
    /// # Errors
    /// [`InvalidArgument`](polycloud_core::ErrorKind::InvalidArgument) if the text has a character that
    /// XML cannot carry. Nothing is written then.
    pub fn leaf(&mut self, name: &str, text: &str) -> Result<()> {
        if let Some(char) = text.chars().find(|char| !is_carried(*char)) {
            return Err(Error::invalid(format!(
                "{name} has the character {char:?}, which XML cannot carry"
            )));
        }
        self.start(name);
        self.escape(text);
        self.end(name);
        Ok(())
    }

    /// Closes an element.
    pub fn end(&mut self, name: &str) {
        self.0.push_str("</");
        self.0.push_str(name);
        self.0.push('>');
    }

    /// The document.
    #[must_use]
    pub fn finish(self) -> String {
        self.0
    }

    fn escape(&mut self, text: &str) {
        let mut rest = text;
        while let Some(at) = rest.find(['<', '>', '&', '\r']) {
            let (plain, special) = rest.split_at(at);
            self.0.push_str(plain);
            self.0.push_str(match special.as_bytes().first() {
                Some(b'<') => "&lt;",
                Some(b'>') => "&gt;",
                Some(b'&') => "&amp;",
                // A reader would turn it into a line feed.
                _ => "&#13;",
            });
            rest = special.get(1..).unwrap_or_default();
        }
        self.0.push_str(rest);
    }
}

/// Whether XML 1.0 has the character at all, escaped or not.
fn is_carried(char: char) -> bool {
    matches!(char, '\t' | '\n' | '\r' | ' '..='\u{fffd}' | '\u{10000}'..)
}
