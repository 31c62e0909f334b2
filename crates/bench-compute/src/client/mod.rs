//! Those who take part, behind one interface.

mod polycloud;
mod sdk;

use std::future::Future;
use std::io::{BufRead as _, Write as _};

use anyhow::ensure;
use clap::ValueEnum;
use futures::{StreamExt as _, TryStreamExt as _, stream};

use crate::case::{CREATED, Case, LISTED, TASKS};
use crate::measure::Start;

/// Whose code it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Who {
    /// This project.
    Polycloud,
    /// aws-sdk-ec2, used directly.
    Sdk,
}

impl Who {
    /// As in the report; on the command line in short.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Polycloud => "polycloud",
            Self::Sdk => "aws-sdk-ec2",
        }
    }

    /// As on the command line.
    pub(crate) fn argument(self) -> &'static str {
        match self {
            Self::Polycloud => "polycloud",
            Self::Sdk => "sdk",
        }
    }
}

/// A client as the cases use it. Static dispatch, so that the interface costs nothing.
trait Client: Send + Sync + Sized {
    /// What names an instance.
    type Id: Send + Sync;

    async fn open(at: &str) -> anyhow::Result<Self>;

    /// Lists all instances that are not terminated, and returns their number.
    async fn list(&self) -> anyhow::Result<usize>;

    /// Creates an instance of that name.
    fn create(&self, name: &str) -> impl Future<Output = anyhow::Result<Self::Id>> + Send;

    /// Creates so many instances, named by the name with `-0`, `-1`, … behind it.
    async fn create_many(&self, name: &str, count: usize) -> anyhow::Result<Vec<Self::Id>>;

    /// Waits until all of them run.
    async fn wait(&self, ids: &[Self::Id]) -> anyhow::Result<()>;
}

/// Measures a case as a process of its own.
pub(crate) fn run(who: Who, case: Case, at: &str, prefix: &str) -> anyhow::Result<()> {
    let runtime =
        tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build()?;
    runtime.block_on(async {
        match who {
            Who::Polycloud => measure::<polycloud::Polycloud>(case, at, prefix).await,
            Who::Sdk => measure::<sdk::Sdk>(case, at, prefix).await,
        }
    })
}

async fn measure<C: Client>(case: Case, at: &str, prefix: &str) -> anyhow::Result<()> {
    let client = C::open(at).await?;
    let mut ids = Vec::new();
    // Connects, and fills what the client keeps from call to call.
    match case {
        Case::List => count(client.list().await?)?,
        Case::Create | Case::CreateMany => drop(client.create(&format!("{prefix}-warm")).await?),
        Case::Wait => ids = client.create_many(prefix, CREATED).await?,
    }
    let start = begin()?;
    match case {
        Case::List => count(client.list().await?)?,
        Case::Create => {
            let names = (0..CREATED).map(|n| format!("{prefix}-{n}"));
            let creates = stream::iter(names).map(|name| {
                let client = &client;
                async move { client.create(&name).await }
            });
            ids = creates.buffer_unordered(TASKS).try_collect().await?;
        }
        Case::CreateMany => ids = client.create_many(prefix, CREATED).await?,
        Case::Wait => client.wait(&ids).await?,
    }
    let measured = start.per_call(1)?;
    ensure!(case == Case::List || ids.len() == CREATED, "{} instances", ids.len());
    println!("{}", serde_json::to_string(&measured)?);
    Ok(())
}

fn count(found: usize) -> anyhow::Result<()> {
    ensure!(found == LISTED, "found {found} instances instead of {LISTED}");
    Ok(())
}

/// Waits until whoever started the process is ready, too.
fn begin() -> anyhow::Result<Start> {
    println!("ready");
    std::io::stdout().flush()?;
    std::io::stdin().lock().read_line(&mut String::new())?;
    Start::now()
}

/// Fills an empty region with the instances that listings find.
pub(crate) fn populate(at: &str) -> anyhow::Result<()> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(async { sdk::Sdk::open(at).await?.populate().await })
}
