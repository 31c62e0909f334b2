//! Connections whose answers can be cut at a byte.

use std::future::Future as _;
use std::io;
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, ready};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio::time::Sleep;

/// What a connection consists of.
pub(crate) trait Transport: AsyncRead + AsyncWrite + Unpin + Send + 'static {
    /// Makes the peer see a reset once this is dropped, if there is such a thing.
    fn reset_on_drop(&self) {}
}

impl Transport for TcpStream {
    fn reset_on_drop(&self) {
        // Without it the peer sees an orderly end, which is a failure as well.
        let _ = self.set_zero_linger();
    }
}

/// A connection in memory: dropping it is all that can be done.
#[derive(Debug)]
pub(crate) struct InMemory<T>(pub(crate) T);

impl<T: AsyncRead + AsyncWrite + Unpin + Send + 'static> Transport for InMemory<T> {}

impl<T: AsyncRead + Unpin> AsyncRead for InMemory<T> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_read(cx, buffer)
    }
}

impl<T: AsyncWrite + Unpin> AsyncWrite for InMemory<T> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        data: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.0).poll_write(cx, data)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_shutdown(cx)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        data: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.0).poll_write_vectored(cx, data)
    }

    fn is_write_vectored(&self) -> bool {
        self.0.is_write_vectored()
    }
}

/// What happens to an answer once some bytes of its body are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Cut {
    Reset,
    Close,
    Stall(Duration),
}

/// By what a request handler acts on its connection.
#[derive(Debug, Default)]
pub(crate) struct Control {
    reset: AtomicBool,
    armed: AtomicBool,
    state: Mutex<Option<Progress>>,
}

impl Control {
    /// Makes the end of the connection a reset.
    pub(crate) fn reset(&self) {
        self.reset.store(true, Ordering::Release);
    }

    /// Cuts the next answer behind so many bytes of its body.
    pub(crate) fn cut(&self, cut: Cut, after_bytes: u64) {
        *self.lock() =
            Some(Progress { cut, left: after_bytes, head: Some(Head::default()), sleep: None });
        self.armed.store(true, Ordering::Release);
    }

    fn disarm(&self) {
        *self.lock() = None;
        self.armed.store(false, Ordering::Release);
    }

    fn lock(&self) -> MutexGuard<'_, Option<Progress>> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// How far an answer that will be cut is written.
#[derive(Debug)]
struct Progress {
    cut: Cut,
    /// Bytes of the body to be written before.
    left: u64,
    /// None: the body has begun.
    head: Option<Head>,
    sleep: Option<Pin<Box<Sleep>>>,
}

/// Looks for the end of the head.
#[derive(Debug, Default)]
struct Head {
    written: u64,
    /// Of CR LF CR LF.
    matched: u8,
    /// `100 Continue` is followed by another head.
    interim: bool,
}

impl Head {
    /// Takes note of a byte; true: it is the last one of the head.
    fn push(&mut self, byte: u8) -> bool {
        // The status begins behind `HTTP/1.1 `.
        if self.written == 9 {
            self.interim = byte == b'1';
        }
        self.written += 1;
        self.matched = match (self.matched, byte) {
            (0 | 2, b'\r') | (1 | 3, b'\n') => self.matched + 1,
            (_, b'\r') => 1,
            _ => 0,
        };
        if self.matched == 4 && self.interim {
            *self = Self::default();
            return false;
        }
        self.matched == 4
    }
}

impl Progress {
    /// How many bytes may be written before the next thing happens.
    fn allowed(&self, data: &[u8]) -> usize {
        match &self.head {
            // Line by line, so that the end of the head is the end of a write.
            // Answers that are cut are rare.
            Some(_) => data.iter().position(|byte| *byte == b'\n').map_or(data.len(), |at| at + 1),
            None => usize::try_from(self.left).unwrap_or(usize::MAX).min(data.len()),
        }
    }

    fn note(&mut self, written: &[u8]) {
        match &mut self.head {
            Some(head) => {
                if written.iter().any(|byte| head.push(*byte)) {
                    self.head = None;
                }
            }
            None => self.left = self.left.saturating_sub(written.len() as u64),
        }
    }

    fn is_due(&self) -> bool {
        self.head.is_none() && self.left == 0
    }
}

/// A connection under control of the handler of its requests.
#[derive(Debug)]
pub(crate) struct Connection<T: Transport> {
    transport: T,
    control: Arc<Control>,
}

impl<T: Transport> Connection<T> {
    pub(crate) fn new(transport: T, control: Arc<Control>) -> Self {
        Self { transport, control }
    }

    fn is_armed(&self) -> bool {
        self.control.armed.load(Ordering::Acquire)
    }

    /// Does what is due; ready once the connection goes on as if nothing was.
    fn poll_cut(&self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let mut guard = self.control.lock();
        let Some(progress) = guard.as_mut().filter(|progress| progress.is_due()) else {
            return Poll::Ready(Ok(()));
        };
        match progress.cut {
            Cut::Reset => {
                self.control.reset();
                Poll::Ready(Err(io::ErrorKind::ConnectionReset.into()))
            }
            Cut::Close => Poll::Ready(Err(io::ErrorKind::BrokenPipe.into())),
            Cut::Stall(duration) => {
                let sleep = progress.sleep.get_or_insert_with(|| Box::pin(pause(duration)));
                ready!(sleep.as_mut().poll(cx));
                drop(guard);
                self.control.disarm();
                Poll::Ready(Ok(()))
            }
        }
    }
}

/// A pause that is a fault.
#[allow(clippy::disallowed_methods, reason = "stalls are on the runtime's clock, as documented")]
pub(crate) fn pause(duration: Duration) -> Sleep {
    tokio::time::sleep(duration)
}

impl<T: Transport> Drop for Connection<T> {
    fn drop(&mut self) {
        if self.control.reset.load(Ordering::Acquire) {
            self.transport.reset_on_drop();
        }
    }
}

impl<T: Transport> AsyncRead for Connection<T> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.transport).poll_read(cx, buffer)
    }
}

impl<T: Transport> AsyncWrite for Connection<T> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        data: &[u8],
    ) -> Poll<io::Result<usize>> {
        if !self.is_armed() {
            return Pin::new(&mut self.transport).poll_write(cx, data);
        }
        ready!(self.poll_cut(cx))?;
        let allowed = self.control.lock().as_ref().map(|progress| progress.allowed(data));
        let data = data.get(..allowed.unwrap_or(data.len())).unwrap_or(data);
        let written = ready!(Pin::new(&mut self.transport).poll_write(cx, data))?;
        if let Some(progress) = self.control.lock().as_mut() {
            progress.note(data.get(..written).unwrap_or(data));
        }
        Poll::Ready(Ok(written))
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        ready!(Pin::new(&mut self.transport).poll_flush(cx))?;
        if self.is_armed() { self.poll_cut(cx) } else { Poll::Ready(Ok(())) }
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.transport).poll_shutdown(cx)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        data: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        if !self.is_armed() {
            return Pin::new(&mut self.transport).poll_write_vectored(cx, data);
        }
        let first = data.iter().find(|slice| !slice.is_empty());
        self.poll_write(cx, first.map_or(&[], |slice| slice))
    }

    fn is_write_vectored(&self) -> bool {
        self.transport.is_write_vectored()
    }
}
