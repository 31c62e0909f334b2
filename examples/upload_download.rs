//! Uploads a file, downloads it again next to it, and tells what the store holds of it.
//!
//! ```text
//! cargo run --example upload_download -- file:///data/bucket movie.mp4
//! ```
//!
//! Large files move in parts, several at a time, and nothing is visible before all of it has arrived.
//! Memory does not grow with the size of the file.
#![allow(clippy::print_stdout, reason = "a program talks to its user")]

use std::path::PathBuf;

use clap::Parser;
use indicatif::{ProgressBar, ProgressStyle};
use polycloud::object::{GetOptions, Range};
use polycloud::prelude::*;
use polycloud::transfer::TransferOptions;

/// Uploads a file and downloads it again.
#[derive(Debug, Parser)]
struct Args {
    /// The store, as its URL.
    store: String,
    /// The file.
    file: PathBuf,
    /// The key; the name of the file if unset.
    #[arg(long)]
    key: Option<String>,
}

/// Shows how much has moved on the terminal, if there is one.
fn with_bar(what: &'static str) -> TransferOptions {
    let bar = ProgressBar::new(0).with_message(what);
    if let Ok(style) = ProgressStyle::with_template("{msg:>10} [{bar:40}] {bytes}/{total_bytes}") {
        bar.set_style(style.progress_chars("=> "));
    }
    TransferOptions::default().with_progress(move |progress| {
        bar.set_length(progress.total.unwrap_or(progress.done));
        bar.set_position(progress.done);
    })
}

#[tokio::main]
async fn main() -> polycloud::Result<()> {
    let args = Args::parse();
    let name = args.key.or_else(|| Some(args.file.file_name()?.to_string_lossy().into_owned()));
    let key = Key::new(name.unwrap_or_default())?;
    let store = polycloud::open_store(&args.store).await?;

    let sent = store.upload_file(&args.file, &key, &with_bar("upload")).await?;
    println!("{key}: {} bytes sent", sent.size);

    let copy = args.file.with_extension("copy");
    let got = store.download_file(&key, &copy, &with_bar("download")).await?;
    println!("{}: {} bytes received", copy.display(), got.size);
    for checksum in got.checksums.iter() {
        println!("the store holds {checksum}");
    }

    // Or as a stream, of which only a part is wanted.
    let first = GetOptions::default().with_range(Range::bounded(0, 16.min(got.size))?);
    let head = store.get(&key, &first).await?.bytes().await?;
    println!("it begins with {head:?}");
    Ok(())
}
