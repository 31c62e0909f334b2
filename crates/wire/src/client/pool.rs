//! Connections of HTTP/1.1 that are driven by the task that uses them.
//!
//! A request is written, its answer read and its body handed over by polling the connection where the
//! caller waits. There is no task beside the caller's, so that nothing is passed between threads and
//! nobody has to be woken twice.

use std::collections::{HashMap, VecDeque};
use std::future::Future;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::task::{Context, Poll, ready};
use std::time::{Duration, Instant};

use bytes::Bytes;
use http::uri::{Authority, PathAndQuery, Uri};
use http::{HeaderValue, Request, Response, header};
use http_body::{Body as _, Frame};
use hyper::body::Incoming;
use hyper::client::conn::http1;
use hyper::rt::{Read, Write};

use super::body::{RequestBody, ResponseBody};
use super::error::{Reached, SendError, SendErrorKind};

/// What bytes go through.
pub(super) trait Transport: Read + Write + Send + Unpin {}

impl<T: Read + Write + Send + Unpin> Transport for T {}

/// Makes new connections.
pub(super) type Connect = dyn Fn(Uri) -> Pin<Box<dyn Future<Output = Result<Box<dyn Transport>, SendError>> + Send>>
    + Send
    + Sync;

/// A connection, and what a request is given to.
struct Live {
    sender: http1::SendRequest<RequestBody>,
    driver: http1::Connection<Box<dyn Transport>, RequestBody>,
}

impl Live {
    /// Lets the connection do what it can. Whether it has ended.
    fn drive(&mut self, context: &mut Context<'_>) -> Poll<()> {
        // Why it ended is told to the request that is under way.
        Pin::new(&mut self.driver).poll(context).map(|_| ())
    }
}

struct Idle {
    live: Box<Live>,
    since: Instant,
}

/// Connections that wait for a request, the one that was used last at the end.
#[derive(Default)]
struct Shelf(HashMap<Box<str>, VecDeque<Idle>, foldhash::fast::RandomState>);

/// Connections to all hosts, by one way to connect.
#[derive(Clone)]
pub(super) struct Pool(Arc<Inner>);

struct Inner {
    connect: Box<Connect>,
    idle_timeout: Duration,
    idle_connections: usize,
    shelf: Mutex<Shelf>,
    reaper: Mutex<bool>,
}

impl Pool {
    pub(super) fn new(
        connect: Box<Connect>,
        idle_timeout: Duration,
        idle_connections: usize,
    ) -> Self {
        Self(Arc::new(Inner {
            connect,
            idle_timeout,
            idle_connections,
            shelf: Mutex::default(),
            reaper: Mutex::new(false),
        }))
    }

    /// Sends a request to the host of its URI.
    pub(super) async fn send(
        &self,
        mut request: Request<RequestBody>,
    ) -> Result<Response<ResponseBody>, SendError> {
        let target = std::mem::take(request.uri_mut());
        let Some(authority) = target.authority().cloned() else {
            return Err(SendError::new(SendErrorKind::Connect).with_message("the URI has no host"));
        };
        to_origin_form(&target, &mut request)?;
        while let Some(live) = self.idle(&authority) {
            match exchange(live, request).await {
                Ok((live, response)) => return Ok(self.answer(authority, live, response)),
                // The connection ended before it took the request; another one will.
                Err((_, Some(unsent))) => request = unsent,
                Err((error, None)) => return Err(classify(error)),
            }
        }
        let transport = (self.0.connect)(target).await?;
        // No more than a hundred header lines, which is the library's own limit.
        let (sender, driver) = http1::handshake(transport).await.map_err(classify)?;
        match exchange(Box::new(Live { sender, driver }), request).await {
            Ok((live, response)) => Ok(self.answer(authority, live, response)),
            Err((error, unsent)) => {
                let error = classify(error);
                Err(if unsent.is_some() { error.with_reached(Reached::Nothing) } else { error })
            }
        }
    }

    /// A connection that waits for a request and is still open.
    fn idle(&self, authority: &Authority) -> Option<Box<Live>> {
        loop {
            let mut idle = self.0.shelf().0.get_mut(authority.as_str())?.pop_back()?;
            if idle.since.elapsed() > self.0.idle_timeout {
                continue;
            }
            // Sees an end that arrived meanwhile, and what came unasked for.
            let mut context = Context::from_waker(std::task::Waker::noop());
            let ended = idle.live.drive(&mut context).is_ready();
            if !ended && idle.live.sender.is_ready() {
                return Some(idle.live);
            }
        }
    }

    fn answer(
        &self,
        authority: Authority,
        live: Box<Live>,
        response: Response<Incoming>,
    ) -> Response<ResponseBody> {
        let (head, incoming) = response.into_parts();
        if incoming.is_end_stream() {
            self.shelve(&authority, live);
            return Response::from_parts(head, ResponseBody::new(Bytes::new()));
        }
        let body = PooledBody { incoming, connection: Some((live, authority)), pool: self.clone() };
        Response::from_parts(head, ResponseBody::pooled(Box::new(body)))
    }

    /// Keeps a connection for the next request.
    #[allow(
        clippy::disallowed_methods,
        reason = "the age of a connection is a matter of the machine"
    )]
    fn shelve(&self, authority: &Authority, live: Box<Live>) {
        let idle = Idle { live, since: Instant::now() };
        let mut shelf = self.0.shelf();
        if !shelf.0.contains_key(authority.as_str()) {
            shelf.0.insert(authority.as_str().into(), VecDeque::new());
        }
        let Some(waiting) = shelf.0.get_mut(authority.as_str()) else { return };
        waiting.push_back(idle);
        let surplus =
            if waiting.len() > self.0.idle_connections { waiting.pop_front() } else { None };
        drop(shelf);
        drop(surplus);
        self.reap();
    }

    /// Sees to it that connections which nobody uses are closed.
    fn reap(&self) {
        let mut running = self.0.reaper.lock().unwrap_or_else(PoisonError::into_inner);
        if *running {
            return;
        }
        let Ok(runtime) = tokio::runtime::Handle::try_current() else { return };
        *running = true;
        runtime.spawn(reap(Arc::downgrade(&self.0), self.0.idle_timeout));
    }
}

#[allow(clippy::disallowed_methods, reason = "the age of a connection is a matter of the machine")]
async fn reap(pool: Weak<Inner>, idle_timeout: Duration) {
    // A runtime that ends, and this task with it, lets the next one start another.
    let running = Running(pool);
    loop {
        tokio::time::sleep(idle_timeout).await;
        let Some(pool) = running.0.upgrade() else { return };
        let mut old = Vec::new();
        let mut shelf = pool.shelf();
        shelf.0.retain(|_, waiting| {
            while let Some(idle) =
                waiting.pop_front_if(|idle| idle.since.elapsed() >= pool.idle_timeout)
            {
                old.push(idle);
            }
            !waiting.is_empty()
        });
        let rest = !shelf.0.is_empty();
        drop(shelf);
        drop(old);
        if !rest {
            return;
        }
    }
}

struct Running(Weak<Inner>);

impl Drop for Running {
    fn drop(&mut self) {
        if let Some(pool) = self.0.upgrade() {
            *pool.reaper.lock().unwrap_or_else(PoisonError::into_inner) = false;
        }
    }
}

impl Inner {
    fn shelf(&self) -> MutexGuard<'_, Shelf> {
        self.shelf.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What goes into the request line is the path; the host goes into its header.
fn to_origin_form(target: &Uri, request: &mut Request<RequestBody>) -> Result<(), SendError> {
    let malformed = || SendError::new(SendErrorKind::Connect).with_message("the URI has no host");
    if !request.headers().contains_key(header::HOST) {
        let host = target.authority().ok_or_else(malformed)?.as_str();
        let host = HeaderValue::from_str(host).map_err(|_| malformed())?;
        request.headers_mut().insert(header::HOST, host);
    }
    let path = target.path_and_query().cloned();
    *request.uri_mut() = path.unwrap_or_else(|| PathAndQuery::from_static("/")).into();
    Ok(())
}

type Unsent = Option<Request<RequestBody>>;

/// Writes a request and reads the head of its answer.
async fn exchange(
    mut live: Box<Live>,
    request: Request<RequestBody>,
) -> Result<(Box<Live>, Response<Incoming>), (hyper::Error, Unsent)> {
    let mut answer = std::pin::pin!(live.sender.try_send_request(request));
    let driver = &mut live.driver;
    let mut ended = false;
    let result = std::future::poll_fn(|context| {
        if !ended {
            ended = Pin::new(&mut *driver).poll(context).is_ready();
        }
        answer.as_mut().poll(context)
    })
    .await;
    match result {
        Ok(response) => Ok((live, response)),
        Err(mut error) => {
            let unsent = error.take_message();
            Err((error.into_error(), unsent))
        }
    }
}

pub(super) fn classify(error: hyper::Error) -> SendError {
    let kind = if error.is_parse() {
        SendErrorKind::Malformed
    } else if error.is_user() {
        SendErrorKind::Source
    } else {
        SendErrorKind::Closed
    };
    let reached = if error.is_canceled() { Reached::Nothing } else { Reached::Perhaps };
    SendError::new(kind).with_reached(reached).with_source(error)
}

/// A body, with the connection that it comes by. At its end the connection is kept; if it is dropped
/// before, the connection is closed.
pub(super) struct PooledBody {
    incoming: Incoming,
    connection: Option<(Box<Live>, Authority)>,
    pool: Pool,
}

impl PooledBody {
    pub(super) fn poll_frame(
        &mut self,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, hyper::Error>>> {
        let mut frame = Pin::new(&mut self.incoming).poll_frame(context);
        if frame.is_pending()
            && let Some((live, _)) = &mut self.connection
        {
            if live.drive(context).is_ready() {
                self.connection = None;
            }
            frame = Pin::new(&mut self.incoming).poll_frame(context);
        }
        let frame = ready!(frame);
        if (self.incoming.is_end_stream() || frame.is_none())
            && let Some((live, authority)) = self.connection.take()
        {
            self.pool.shelve(&authority, live);
        }
        Poll::Ready(frame)
    }

    pub(super) fn is_end(&self) -> bool {
        self.incoming.is_end_stream()
    }
}
