//! Objects and an instance in two dozen lines. The README shows this program.
#![allow(clippy::print_stdout, reason = "a program talks to its user")]

use futures::TryStreamExt;
use polycloud::prelude::*;

#[tokio::main]
async fn main() -> polycloud::Result<()> {
    let url = std::env::args().nth(1); // such as file:///data/bucket or s3://bucket
    let store = polycloud::open_store(url.as_deref().unwrap_or("memory:")).await?;
    let key = Key::new("notes/hello.txt")?;
    let first = store.put_bytes(&key, "hello").await?;
    // Replaces it, but only if nobody else has done so since.
    store.compare_and_swap(&key, first.revision, "hello, world").await?;
    println!("{key} says {:?}", store.get_bytes(&key).await?);
    let mut notes = store.list("notes/");
    while let Some(note) = notes.try_next().await? {
        println!("{} has {} bytes", note.key, note.size);
    }

    let compute = polycloud::open_compute("local:").await?;
    let spec = InstanceSpec::new(InstanceName::new("hello")?).with_user_data("#!/bin/sh\necho hi");
    let (create, wait) = (CreateOptions::default(), WaitOptions::default());
    let instance = compute.create_and_wait(&spec, &create, &wait).await?;
    println!("{} is {} at {:?}", instance.id, instance.state(), instance.ip());
    compute.terminate(&instance.id, &TerminateOptions::default()).await?;
    compute.wait_until(&instance.id, InstanceState::Terminated, &wait).await.map(drop)
}
