//! Listening, and serving connections.

pub(crate) mod body;
mod core;
pub(crate) mod exchange;
mod io;
mod operation;
mod s3;
pub(crate) mod target;

use std::future::Future;
use std::sync::Arc;

use bytes::Bytes;
use http_body_util::Full;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpListener;
use tokio::task::JoinSet;

pub(crate) use self::core::{Core, Store};
use self::exchange::{Broken, Exchange};
use self::io::{Connection, Control, InMemory, Transport};
use crate::journal::Service;
use crate::{ec2, imds, sts};

/// Accepts connections until it is dropped, which drops them too.
pub(crate) async fn listen(core: Arc<Core>, service: Service, listener: TcpListener) {
    let mut connections = JoinSet::new();
    loop {
        tokio::select! {
            accepted = listener.accept() => {
                // A connection that broke before it was accepted is no reason to stop.
                let Ok((stream, _)) = accepted else { continue };
                let _ = stream.set_nodelay(true);
                connections.spawn(serve(Arc::clone(&core), service, stream));
            }
            Some(_) = connections.join_next() => {}
        }
    }
}

/// Serves a connection that is not a socket.
pub(crate) fn serve_in_memory(
    core: Arc<Core>,
    service: Service,
    io: impl AsyncRead + AsyncWrite + Unpin + Send + 'static,
) -> impl Future<Output = ()> + Send + 'static {
    serve(core, service, InMemory(io))
}

async fn serve<T: Transport>(core: Arc<Core>, service: Service, transport: T) {
    let control = Arc::new(Control::default());
    if core.faults.refuses(service) {
        control.reset();
        drop(Connection::new(transport, control));
        return;
    }
    let connection = TokioIo::new(Connection::new(transport, Arc::clone(&control)));
    let serve = service_fn(move |request| {
        let (core, control) = (Arc::clone(&core), Arc::clone(&control));
        async move { respond(core, control, service, request).await }
    });
    let mut server = http1::Builder::new();
    server.half_close(true).auto_date_header(false);
    // An error here is a client that went away or that was sent away.
    let _ = server.serve_connection(connection, serve).await;
}

async fn respond(
    core: Arc<Core>,
    control: Arc<Control>,
    service: Service,
    request: http::Request<Incoming>,
) -> Result<http::Response<Full<Bytes>>, Broken> {
    let (head, body) = request.into_parts();
    let mut exchange = Exchange::new(&core, &control, service, &head, &body);
    let answer = match service {
        Service::S3 => s3::answer(&core, &mut exchange, head, body).await,
        Service::Sts => sts::answer(&mut exchange, &head, body).await,
        Service::Imds => imds::answer(&mut exchange, &head, body).await,
        Service::Ec2 => ec2::answer(&mut exchange, &head, body).await,
    };
    let answer = match answer {
        Ok(mut answer) => {
            exchange.finish(&mut answer).await;
            Ok(answer)
        }
        Err(broken) => Err(broken),
    };
    core.journal.record(exchange.record);
    answer.map(|answer| {
        let mut response = http::Response::new(Full::new(answer.body));
        *response.status_mut() = answer.status;
        *response.headers_mut() = answer.headers;
        response
    })
}
