//! Counting words.

use std::collections::HashMap;

/// How often each word occurs.
pub(crate) type Counts = HashMap<String, u64>;

/// Bytes at which a word is cut, so that a file without any space does not fill the memory.
const LONGEST_WORD: usize = 1_024;

/// Counts the words of a text that comes in pieces, wherever it is cut. A word is a run of letters,
/// in lower case. Bytes that are no UTF-8 separate words.
#[derive(Debug, Default)]
pub(crate) struct Counter {
    counts: Counts,
    word: String,
    /// The beginning of a character whose other bytes have not come yet.
    tail: Vec<u8>,
}

impl Counter {
    /// Counts the words of the next piece.
    pub(crate) fn feed(&mut self, piece: &[u8]) {
        if self.tail.is_empty() {
            return self.read(piece);
        }
        let mut joined = std::mem::take(&mut self.tail);
        joined.extend_from_slice(piece);
        self.read(&joined);
    }

    /// Ends the text.
    pub(crate) fn finish(mut self) -> Counts {
        self.end_word();
        self.counts
    }

    fn read(&mut self, bytes: &[u8]) {
        let mut chunks = bytes.utf8_chunks().peekable();
        while let Some(chunk) = chunks.next() {
            for c in chunk.valid().chars() {
                if c.is_alphabetic() && self.word.len() < LONGEST_WORD {
                    self.word.extend(c.to_lowercase());
                } else {
                    self.end_word();
                }
            }
            let invalid = chunk.invalid();
            let unfinished =
                |bytes| std::str::from_utf8(bytes).is_err_and(|error| error.error_len().is_none());
            if chunks.peek().is_none() && unfinished(invalid) {
                self.tail = invalid.to_vec();
            } else if !invalid.is_empty() {
                self.end_word();
            }
        }
    }

    fn end_word(&mut self) {
        if self.word.is_empty() {
            return;
        }
        match self.counts.get_mut(&self.word) {
            Some(count) => *count += 1,
            None => drop(self.counts.insert(self.word.clone(), 1)),
        }
        self.word.clear();
    }
}

/// Adds counts to others.
pub(crate) fn merge(into: &mut Counts, from: impl IntoIterator<Item = (String, u64)>) {
    for (word, count) in from {
        *into.entry(word).or_default() += count;
    }
}

/// The most frequent words, most frequent first; words of the same frequency by the alphabet.
pub(crate) fn top(counts: &Counts, n: usize) -> Vec<(&str, u64)> {
    let mut words: Vec<(&str, u64)> = counts.iter().map(|(word, n)| (word.as_str(), *n)).collect();
    words.sort_unstable_by(|(a, n), (b, m)| m.cmp(n).then(a.cmp(b)));
    words.truncate(n);
    words
}

#[cfg(test)]
mod tests {
    use super::*;

    fn count(pieces: &[&[u8]]) -> Counts {
        let mut counter = Counter::default();
        pieces.iter().for_each(|piece| counter.feed(piece));
        counter.finish()
    }

    #[test]
    fn words_are_runs_of_letters() {
        let counts = count(&["Über-über: x1y, ÜBER's".as_bytes()]);
        assert_eq!(top(&counts, 9), [("über", 3), ("s", 1), ("x", 1), ("y", 1)]);
    }

    #[test]
    fn it_does_not_matter_where_the_text_is_cut() {
        let text =
            [b"caf\xc3\xa9 \xe2\x82\xac5 na\xffive \xe2\x82".as_slice(), &[b'x'; 3000]].concat();
        let whole = count(&[&text]);
        for i in 0..text.len() {
            let (head, tail) = text.split_at(i);
            assert_eq!(count(&[head, tail]), whole, "{i}");
        }
        let single: Vec<&[u8]> = text.chunks(1).collect();
        assert_eq!(count(&single), whole);
        assert_eq!(
            (whole.get("café"), whole.get("na"), whole.get("ive")),
            (Some(&1), Some(&1), Some(&1))
        );
    }
}
