//! Reading and writing XML within limits.
//!
//! Providers answer with plain elements: no attributes that matter, no text beside elements. The
//! [`Reader`] knows nothing else, so that walking through an answer is one `match`:
//!
//! ```
//! use polycloud_wire::xml::{Event, Reader};
//!
//! let answer = b"<List><Item><Name>a&amp;b</Name></Item><Item><Name>c</Name></Item></List>";
//! let (mut reader, mut names) = (Reader::new(answer), Vec::new());
//! while let Some(event) = reader.next()? {
//!     if let Event::Leaf("Name", text) = event {
//!         names.push(text);
//!     }
//! }
//! assert_eq!(names, ["a&b", "c"]);
//! # Ok::<(), polycloud_core::Error>(())
//! ```
//!
//! What makes XML dangerous is refused: document types, entities of one's own and processing
//! instructions. The time to read a document grows with its size only.

mod reader;
mod token;
mod writer;

#[cfg(test)]
mod tests;

pub use self::reader::{Event, Limits, Reader};
pub use self::writer::Writer;
