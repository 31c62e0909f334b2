//! A server that answers like Amazon S3, at once: what is left to measure is the client.
//!
//! It checks nothing, keeps nothing and has one bucket. An object's size is the first segment of its
//! key: `/bench/4096/logs/000/object-0000` is 4,096 bytes long. Whatever is listed is the same 100,000
//! keys. One thread serves all connections, on the last processor, so that the clients' threads
//! are not moved about by it; long bodies go out by `sendfile` from memory, which copies nothing.

mod answers;
mod connection;
mod request;

use std::rc::Rc;
use std::time::Duration;

use anyhow::Context;
use nix::sched::{CpuSet, sched_getaffinity, sched_setaffinity};
use nix::unistd::Pid;
use tokio::net::TcpListener;
use tokio::task::{LocalSet, spawn_blocking, spawn_local};

use self::answers::Answers;
use self::connection::Connection;

/// Serves until standard input ends, so that the server does not outlive who started it. The first
/// line of the output is the endpoint.
pub(crate) fn serve(port: u16) -> anyhow::Result<()> {
    pin()?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    LocalSet::new().block_on(&runtime, async move {
        let listener = TcpListener::bind(("127.0.0.1", port)).await?;
        println!("http://{}", listener.local_addr()?);
        spawn_local(accept(listener, Rc::new(Answers::new()?)));
        spawn_blocking(|| std::io::copy(&mut std::io::stdin(), &mut std::io::sink())).await??;
        Ok(())
    })
}

/// Stays on the last of the processors that the process may use.
fn pin() -> anyhow::Result<()> {
    let this = Pid::from_raw(0);
    let allowed = sched_getaffinity(this)?;
    let is_allowed = |number: &usize| allowed.is_set(*number).unwrap_or(false);
    let last = (0..CpuSet::count()).rev().find(is_allowed).context("no processor")?;
    let mut chosen = CpuSet::new();
    chosen.set(last)?;
    sched_setaffinity(this, &chosen).context("cannot choose the processor")
}

async fn accept(listener: TcpListener, answers: Rc<Answers>) -> anyhow::Result<()> {
    let for_date = Rc::clone(&answers);
    spawn_local(async move {
        let mut seconds = tokio::time::interval(Duration::from_secs(1));
        loop {
            seconds.tick().await;
            for_date.set_date();
        }
    });
    loop {
        let (stream, _) = listener.accept().await?;
        stream.set_nodelay(true)?;
        let connection = Connection::new(stream, Rc::clone(&answers));
        spawn_local(async move {
            if let Err(error) = connection.serve().await {
                // Clients that were measured go away in the middle of things.
                if error.kind() == std::io::ErrorKind::InvalidData {
                    eprintln!("the server closes a connection: {error}");
                }
            }
        });
    }
}
