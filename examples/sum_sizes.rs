//! Adds up the sizes of all objects of a store whose keys begin with a prefix.
//!
//! ```text
//! cargo run --example sum_sizes -- file:///data/bucket logs/
//! ```
//!
//! The listing is a stream: memory does not grow with the number of objects.
#![allow(clippy::print_stdout, reason = "a program talks to its user")]

use clap::Parser;
use futures::TryStreamExt;
use polycloud::prelude::*;

/// Adds up the sizes of objects.
#[derive(Debug, Parser)]
struct Args {
    /// The store, as its URL.
    store: String,
    /// What the keys begin with.
    #[arg(default_value = "")]
    prefix: String,
}

#[tokio::main]
async fn main() -> polycloud::Result<()> {
    let args = Args::parse();
    let store = polycloud::open_store(&args.store).await?;
    let (mut objects, mut bytes) = (0_u64, 0_u64);
    let mut listing = store.list(args.prefix);
    while let Some(object) = listing.try_next().await? {
        objects += 1;
        bytes += object.size;
    }
    println!("{bytes} bytes in {objects} objects");
    Ok(())
}
