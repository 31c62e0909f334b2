//! A small service over HTTP that hands out virtual machines, on whichever provider it is started for.
//!
//! ```text
//! cargo run --example vm_service
//! cargo run --features aws --example vm_service -- --compute ec2://eu-west-1
//! curl -i localhost:8080/instances -H 'content-type: application/json' -H 'idempotency-key: 1' -d '{"name": "web-1"}'
//! curl -i localhost:8080/instances
//! curl -i localhost:8080/instances/ID
//! curl -i -X DELETE localhost:8080/instances/ID
//! ```
//!
//! - `api`: the requests. `answers`: what they are answered with, errors among it.
//!
//! It asks nobody who they are: let it listen where only friends are.
#![allow(clippy::print_stdout, clippy::print_stderr, reason = "a program talks to its user")]

use std::error::Error;
use std::net::SocketAddr;
use std::process::ExitCode;

use clap::Parser;
use polycloud::compute::Owner;
use tokio::net::TcpListener;
use tokio::signal::unix::{SignalKind, signal};

use crate::api::Service;

mod answers;
mod api;

/// Hands out virtual machines over HTTP.
#[derive(Debug, Parser)]
struct Args {
    /// The compute, as its URL.
    #[arg(long, value_name = "URL", default_value = "local:")]
    compute: String,
    /// Where to listen; port 0 takes a free one.
    #[arg(long, value_name = "ADDRESS", default_value = "127.0.0.1:8080")]
    listen: SocketAddr,
    /// Who the machines belong to. The service shows and removes no others.
    #[arg(long, value_name = "NAME", default_value = "vm-service")]
    owner: String,
}

#[tokio::main]
async fn main() -> ExitCode {
    match run(Args::parse()).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("vm_service: {error}");
            ExitCode::FAILURE
        }
    }
}

async fn run(args: Args) -> Result<(), Box<dyn Error>> {
    let compute = polycloud::open_compute(&args.compute).await?;
    let service = Service { compute, owner: Owner::new(args.owner)? };
    let (mut interrupt, mut terminate) =
        (signal(SignalKind::interrupt())?, signal(SignalKind::terminate())?);
    let listener = TcpListener::bind(args.listen).await?;
    println!("listening on http://{}", listener.local_addr()?);
    // Requests that are under way are answered before it ends.
    let stop = async move {
        tokio::select! {
            _ = interrupt.recv() => {}
            _ = terminate.recv() => {}
        }
    };
    axum::serve(listener, api::router(service)).with_graceful_shutdown(stop).await?;
    Ok(())
}
