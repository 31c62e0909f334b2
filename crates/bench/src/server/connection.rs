//! One connection: requests in, answers out.

use std::io::{self, ErrorKind};
use std::os::fd::AsFd;
use std::rc::Rc;

use nix::sys::sendfile::sendfile;
use tokio::io::{AsyncReadExt, AsyncWriteExt, Interest};
use tokio::net::TcpStream;

use super::answers::{Answers, BLOCK};
use super::request::{Action, Framing, Request, invalid};

/// As much of a body is read at once. A head must fit.
const BUFFER: usize = 256 << 10;
/// The longest body that names keys to delete.
const LONGEST: usize = 2 << 20;

pub(super) struct Connection {
    stream: TcpStream,
    answers: Rc<Answers>,
    buffer: Vec<u8>,
    /// What has been read and not yet been looked at.
    start: usize,
    end: usize,
}

impl Connection {
    pub(super) fn new(stream: TcpStream, answers: Rc<Answers>) -> Self {
        Self { stream, answers, buffer: vec![0; BUFFER], start: 0, end: 0 }
    }

    /// Answers until the client closes the connection.
    pub(super) async fn serve(mut self) -> io::Result<()> {
        let (mut body, mut out) = (Vec::new(), Vec::new());
        while let Some(request) = self.request().await? {
            if request.waits {
                self.stream.write_all(b"HTTP/1.1 100 Continue\r\n\r\n").await?;
            }
            body.clear();
            let kept = (request.action == Action::DeleteMany).then_some(&mut body);
            self.body(request.body, kept).await?;
            out.clear();
            let rest = self.answers.answer(&request.action, &body, &mut out);
            self.stream.write_all(&out).await?;
            if let Some((first, end)) = rest {
                self.content(first, end).await?;
            }
        }
        Ok(())
    }

    async fn request(&mut self) -> io::Result<Option<Request>> {
        let mut searched = 0_usize;
        loop {
            let read = self.unread();
            // The end may be partly in what was searched before.
            let from = searched.saturating_sub(3);
            let found = read.get(from..).and_then(|read| find(read, b"\r\n\r\n"));
            if let Some(at) = found.map(|at| from + at) {
                let request = Request::parse(read.get(..at).unwrap_or_default())?;
                self.start += at + 4;
                return Ok(Some(request));
            }
            searched = read.len();
            if self.fill().await? == 0 {
                return if searched == 0 { Ok(None) } else { Err(ErrorKind::UnexpectedEof.into()) };
            }
        }
    }

    fn unread(&self) -> &[u8] {
        self.buffer.get(self.start..self.end).unwrap_or_default()
    }

    /// Reads more behind what is there.
    async fn fill(&mut self) -> io::Result<usize> {
        if self.start > 0 {
            self.buffer.copy_within(self.start..self.end, 0);
            (self.start, self.end) = (0, self.end - self.start);
        }
        let free = self.buffer.get_mut(self.end..).unwrap_or_default();
        if free.is_empty() {
            return Err(invalid("a head or a chunk's head that is too long"));
        }
        let count = self.stream.read(free).await?;
        self.end += count;
        Ok(count)
    }

    /// Reads a body to its end, and keeps it if somebody wants it.
    async fn body(&mut self, framing: Framing, mut kept: Option<&mut Vec<u8>>) -> io::Result<()> {
        match framing {
            Framing::Length(length) => self.take(length, kept).await,
            Framing::Chunked => loop {
                let length = self.chunk().await?;
                self.take(length, kept.as_deref_mut()).await?;
                if length == 0 {
                    // Trailers, and the empty line behind them.
                    while !self.line().await?.is_empty() {}
                    return Ok(());
                }
                self.line().await?;
            },
        }
    }

    async fn chunk(&mut self) -> io::Result<u64> {
        let line = self.line().await?;
        let digits = line.split(';').next().unwrap_or_default().trim();
        u64::from_str_radix(digits, 16).map_err(|_| invalid("a chunk without a length"))
    }

    async fn line(&mut self) -> io::Result<String> {
        loop {
            if let Some(at) = find(self.unread(), b"\r\n") {
                let line = self.unread().get(..at).unwrap_or_default();
                let line = String::from_utf8_lossy(line).into_owned();
                self.start += at + 2;
                return Ok(line);
            }
            if self.fill().await? == 0 {
                return Err(ErrorKind::UnexpectedEof.into());
            }
        }
    }

    async fn take(&mut self, mut left: u64, mut kept: Option<&mut Vec<u8>>) -> io::Result<()> {
        while left > 0 {
            if self.start == self.end {
                (self.start, self.end) = (0, 0);
                if self.fill().await? == 0 {
                    return Err(ErrorKind::UnexpectedEof.into());
                }
            }
            let unread = self.unread();
            let count = usize::try_from(left).unwrap_or(usize::MAX).min(unread.len());
            if let Some(kept) = &mut kept {
                if kept.len() + count > LONGEST {
                    return Err(invalid("too many keys to delete"));
                }
                kept.extend_from_slice(unread.get(..count).unwrap_or_default());
            }
            self.start += count;
            left -= count as u64;
        }
        Ok(())
    }

    /// Sends a range of an object.
    async fn content(&self, mut first: u64, end: u64) -> io::Result<()> {
        let (stream, content) = (&self.stream, self.answers.content());
        while first < end {
            let offset = first % BLOCK;
            let count = usize::try_from((BLOCK - offset).min(end - first)).unwrap_or(usize::MAX);
            let send = || {
                let mut offset = i64::try_from(offset).map_err(io::Error::other)?;
                Ok(sendfile(stream.as_fd(), content.as_fd(), Some(&mut offset), count)?)
            };
            first += stream.async_io(Interest::WRITABLE, send).await? as u64;
        }
        Ok(())
    }
}

fn find(text: &[u8], what: &[u8]) -> Option<usize> {
    text.windows(what.len()).position(|window| window == what)
}
