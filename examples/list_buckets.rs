//! Lists buckets, with where they are and when they were made.
//!
//! ```text
//! cargo run --example list_buckets -- file:///data
//! ```
#![allow(clippy::print_stdout, reason = "a program talks to its user")]

use clap::Parser;

/// Lists buckets.
#[derive(Debug, Parser)]
struct Args {
    /// The account or directory, as a URL that names no bucket.
    url: String,
}

#[tokio::main]
async fn main() -> polycloud::Result<()> {
    let buckets = polycloud::open_buckets(&Args::parse().url).await?;
    let mut token = None;
    loop {
        let page = buckets.list_page(token.as_ref()).await?;
        for bucket in page.buckets {
            let location = bucket.location.unwrap_or_default();
            let created = bucket.created.map(humantime::format_rfc3339_seconds);
            let created = created.map(|created| created.to_string()).unwrap_or_default();
            println!("{created:20} {location:14} {}", bucket.name);
        }
        token = page.next;
        if token.is_none() {
            return Ok(());
        }
    }
}
