//! What an instance runs: it claims tasks, counts words, and writes what came out.

use std::cell::Cell;
use std::future::pending;
use std::time::Duration;

use clap::{Args, ValueEnum};
use futures::{StreamExt as _, TryStreamExt as _, stream};
use polycloud::clock::{Clock as _, SystemClock};
use polycloud::object::HeadOptions;
use polycloud::prelude::*;

use crate::Result;
use crate::layout::{self, Board, Claim, Layout, Partial, Plan, Task};
use crate::words::{self, Counter, Counts};

/// Time between two heartbeats, and between two looks for work.
const BEAT: Duration = Duration::from_millis(250);

/// How long a worker that is told to fail stays stuck, should nobody end it.
const STUCK: Duration = Duration::from_secs(600);

/// Texts that a worker reads at a time.
const READS: usize = 8;

#[derive(Debug, Clone, Args)]
pub(crate) struct WorkArgs {
    /// The store, as its URL.
    #[arg(long)]
    pub(crate) store: String,
    /// The job.
    #[arg(long)]
    pub(crate) job: String,
    /// The name under which the worker claims tasks.
    #[arg(long)]
    pub(crate) name: String,
    /// What goes wrong in the middle of the first task.
    #[arg(long)]
    pub(crate) fault: Option<Fault>,
}

/// How a worker fails, for those who want to see what happens then.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Fault {
    /// It gets stuck, so that there is time to kill it.
    Stall,
    /// It gets stuck and is heard of no more.
    Hang,
}

impl Fault {
    /// The word for the command line.
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::Stall => "stall",
            Self::Hang => "hang",
        }
    }
}

/// Works until every partition is done.
pub(crate) async fn work(args: WorkArgs) -> Result<()> {
    let store = polycloud::open_store(&args.store).await?;
    let layout = Layout::new(&args.job);
    let plan = layout::read(&*store, &layout.plan()?).await?;
    let worker = Worker { store: &*store, layout, plan, args: &args, silent: Cell::new(false) };
    tokio::select! {
        result = worker.run() => result,
        result = worker.beat() => result,
    }
}

struct Worker<'a> {
    store: &'a dyn ObjectStore,
    layout: Layout,
    plan: Plan,
    args: &'a WorkArgs,
    silent: Cell<bool>,
}

impl Worker<'_> {
    /// Says again and again that the worker lives. Ends when the job is gone.
    async fn beat(&self) -> Result<()> {
        let (beat, plan) = (self.layout.beat(&self.args.name)?, self.layout.plan()?);
        let clock = SystemClock::new();
        for n in 0_u64.. {
            if self.silent.get() {
                pending::<()>().await;
            }
            self.store.put_bytes(&beat, n.to_string()).await?;
            self.store.head(&plan, &HeadOptions::default()).await?;
            clock.sleep(BEAT).await;
        }
        Ok(())
    }

    async fn run(&self) -> Result<()> {
        loop {
            let board = Board::read(self.store, &self.layout).await?;
            if board.done.len() == self.plan.partitions.len() {
                return Ok(());
            }
            match self.claim_one(&board).await? {
                Some(task) => self.map(task).await?,
                // Others have claimed what is left. One of them may fail, so stay.
                None => SystemClock::new().sleep(BEAT).await,
            }
        }
    }

    async fn claim_one(&self, board: &Board) -> Result<Option<Task>> {
        let mut open: Vec<Task> = board.open(self.plan.partitions.len()).collect();
        // Workers that begin at different places seldom want the same task.
        let begin = self.args.name.bytes().map(usize::from).sum::<usize>() % open.len().max(1);
        open.rotate_left(begin);
        let claim = Claim { worker: self.args.name.clone() };
        for task in open {
            if layout::create(self.store, &self.layout.claim(task)?, &claim).await? {
                return Ok(Some(task));
            }
        }
        Ok(None)
    }

    async fn map(&self, task: Task) -> Result<()> {
        let mut keys = self.plan.partitions.get(task.partition).cloned().unwrap_or_default();
        if self.args.fault.is_some() {
            keys.truncate(keys.len() / 2);
        }
        let texts = stream::iter(keys).map(|key| async move { self.count(&key).await });
        let texts: Vec<(u64, Counts)> = texts.buffer_unordered(READS).try_collect().await?;
        if let Some(fault) = self.args.fault {
            self.silent.set(fault == Fault::Hang);
            SystemClock::new().sleep(STUCK).await;
            return Err("stuck, as told".into());
        }
        let mut words = Counts::new();
        let mut partial = Partial::default();
        for (bytes, counts) in texts {
            partial.objects += 1;
            partial.bytes += bytes;
            words::merge(&mut words, counts);
        }
        partial.words = words.into_iter().collect();
        // If somebody else has written it first, it says the same.
        layout::create(self.store, &self.layout.result(task.partition)?, &partial).await?;
        Ok(())
    }

    /// Counts one text as it comes in.
    async fn count(&self, key: &Key) -> Result<(u64, Counts)> {
        let mut text = self.store.get(key, &GetOptions::default()).await?;
        let mut counter = Counter::default();
        while let Some(piece) = text.body.next_chunk().await? {
            counter.feed(&piece);
        }
        Ok((text.meta.size, counter.finish()))
    }
}
