//! What instances write to their console.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};

use async_trait::async_trait;
use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use bytes::Bytes;
use polycloud_core::compute::{Console, ConsoleOutput, InstanceId};
use polycloud_core::{Error, ErrorKind, Result, ResultExt as _};

use super::{Ec2Compute, Inner};
use crate::PROVIDER;

/// What EC2 keeps of the output of an instance
/// (<https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_GetConsoleOutput.html>).
const KEPT: usize = 64 * 1024;

/// By how much of its end an output is found again in a later one.
const TAIL: usize = 4 * 1024;

/// Consoles that are remembered at once. With more, all are forgotten.
const MOST: usize = 1_024;

/// EC2 keeps the last 64 KiB, and tells neither how much it has dropped nor where a boot began. So each
/// reading is laid over the one before it: positions go on over what was dropped and over restarts. That
/// holds for readings by one [`Ec2Compute`] and its clones. What others begin counts from the beginning of
/// what is kept.
#[async_trait]
impl Console for Ec2Compute {
    async fn output(&self, id: &InstanceId, from: u64) -> Result<ConsoleOutput> {
        self.0.console(id, from).await.during(PROVIDER, "console", id)
    }
}

impl Inner {
    async fn console(&self, id: &InstanceId, from: u64) -> Result<ConsoleOutput> {
        let native = self.native(id)?;
        let ticket = self.consoles.ticket();
        let text = match self.console_text(native, true).await {
            // Instances of old types are read some minutes after they booted, and not as of now.
            Err(error) if error.kind() == ErrorKind::Unsupported => {
                self.console_text(native, false).await?
            }
            text => text?,
        };
        let text: String = text.split_ascii_whitespace().collect();
        let kept = BASE64_STANDARD.decode(text).map_err(|error| {
            Error::new(ErrorKind::InvalidResponse)
                .with_message("the console is not in base64")
                .with_source(error)
        })?;
        let base = self.consoles.place(native, ticket, &kept);
        Ok(cut(Bytes::from(kept), base, from))
    }

    async fn console_text(&self, native: &str, latest: bool) -> Result<String> {
        let request = self.caller.client().get_console_output().instance_id(native);
        let request = request.set_latest(latest.then_some(true));
        let answer = self.caller.call("GetConsoleOutput", request.send()).await?;
        Ok(answer.output.unwrap_or_default())
    }
}

/// What is behind a position of an output that begins at `base`.
fn cut(mut kept: Bytes, base: u64, from: u64) -> ConsoleOutput {
    let skip = usize::try_from(from.saturating_sub(base)).unwrap_or(usize::MAX).min(kept.len());
    let rest = kept.split_off(skip);
    ConsoleOutput::new(base.saturating_add(skip as u64), rest)
}

/// The consoles that were read.
#[derive(Debug, Default)]
pub(super) struct Consoles(Mutex<Read>);

#[derive(Debug, Default)]
struct Read {
    tickets: u64,
    last: BTreeMap<String, Last>,
}

/// What was read of a console last: where it begins and ends, and its last bytes.
struct Last {
    ticket: u64,
    base: u64,
    end: u64,
    tail: Vec<u8>,
}

impl std::fmt::Debug for Last {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        // Consoles show passwords and keys.
        write!(f, "{}..{}", self.base, self.end)
    }
}

impl Consoles {
    /// Numbers readings by when they began.
    fn ticket(&self) -> u64 {
        let mut read = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        read.tickets += 1;
        read.tickets
    }

    /// The position at which an output begins.
    fn place(&self, native: &str, ticket: u64, kept: &[u8]) -> u64 {
        let mut read = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let base = match read.last.get(native) {
            // A reading that began later has overtaken this.
            Some(last) if last.ticket > ticket => return last.base,
            Some(last) => last.base_of(kept),
            None => 0,
        };
        if read.last.len() >= MOST && !read.last.contains_key(native) {
            read.last.clear();
        }
        let end = base.saturating_add(kept.len() as u64);
        let tail = kept.get(kept.len().saturating_sub(TAIL)..).unwrap_or_default().to_vec();
        read.last.insert(native.to_owned(), Last { ticket, base, end, tail });
        base
    }
}

impl Last {
    /// Where an output begins that was read after this one.
    fn base_of(&self, kept: &[u8]) -> u64 {
        let length = usize::try_from(self.end - self.base).unwrap_or(usize::MAX);
        if kept.get(..length).is_some_and(|same| same.ends_with(&self.tail)) {
            return self.base;
        }
        // What is kept may be cut at a line or a character, and be a little less than the most. A short tail
        // is found by chance, unless there is as much as there can be.
        if self.tail.len() == TAIL || kept.len() >= KEPT {
            let found = kept.windows(self.tail.len().max(1)).position(|part| part == self.tail);
            let known = found.map(|at| (at + self.tail.len()) as u64);
            if let Some(base) = known.and_then(|known| self.end.checked_sub(known)) {
                return base;
            }
        }
        if kept.len() < KEPT {
            // It is not what it was, and nothing of that is left: the instance has booted again.
            return self.end;
        }
        // Between this one and that, there was more than is kept.
        self.end.saturating_add(1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Numbered lines, without two parts that are the same.
    fn log(lines: std::ops::Range<u32>) -> Vec<u8> {
        lines.flat_map(|n| format!("line {n:07}\n").into_bytes()).collect()
    }

    #[test]
    fn positions_go_on_over_what_is_dropped_and_over_boots() {
        let consoles = Consoles::default();
        let place = |kept: &[u8]| consoles.place("i-1", consoles.ticket(), kept);
        let last = |bytes: Vec<u8>| bytes[bytes.len() - KEPT..].to_vec();
        assert_eq!((place(b""), place(b"a"), place(b"ab")), (0, 0, 0));
        assert_eq!((place(b"boot\n"), place(b"boot\nx"), place(b"")), (2, 2, 8));
        assert_eq!(place(&log(0..1_000)), 8);
        // 10,000 lines of 13 bytes, of which the last 64 KiB are left.
        let long = last(log(0..5_500));
        let begin = 8 + 5_500 * 13 - KEPT as u64;
        assert_eq!(place(&long), begin);
        assert_eq!(place(&last(log(0..6_000))), begin + 500 * 13);
        // So much in between that nothing is left of what was known.
        assert_eq!(place(&last(log(0..20_000))), 8 + 6_000 * 13 + 1);
    }

    #[test]
    fn an_output_that_is_cut_at_a_line_goes_on() {
        let consoles = Consoles::default();
        let place = |kept: &[u8]| consoles.place("i-1", consoles.ticket(), kept);
        assert_eq!((place(&log(0..5_000)), place(&log(20..5_040))), (0, 20 * 13));
        assert_eq!(place(&log(0..10)), 5_040 * 13, "another boot");
    }

    #[test]
    fn an_answer_that_was_overtaken_changes_nothing() {
        let consoles = Consoles::default();
        let (first, second) = (consoles.ticket(), consoles.ticket());
        assert_eq!(consoles.place("i-1", second, b"one two"), 0);
        assert_eq!(consoles.place("i-1", first, b"one"), 0);
        assert_eq!(consoles.place("i-1", consoles.ticket(), b"one two three"), 0);
    }

    #[test]
    fn a_reading_is_cut_where_it_was_asked_for() {
        let at = |from| {
            let output = cut(Bytes::from_static(b"01234"), 100, from);
            (output.start, output.data, output.next)
        };
        assert_eq!(at(0), (100, "01234".into(), 105));
        assert_eq!(at(102), (102, "234".into(), 105));
        assert_eq!(at(1 << 40), (105, "".into(), 105));
    }

    #[test]
    fn what_was_read_is_not_shown() {
        let consoles = Consoles::default();
        consoles.place("i-1", 1, b"password: c4n4ry");
        let shown = format!("{consoles:?}");
        assert!(shown.contains("0..16") && !shown.contains("99, 52, 110"), "{shown}");
    }
}
