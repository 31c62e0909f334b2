//! The master's part: uploads, deals out, watches, does again what was lost, and adds up.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use futures::{StreamExt as _, TryStreamExt as _, stream};
use polycloud::clock::Clock;
use polycloud::prelude::*;
use polycloud::transfer::TransferOptions;
use serde::Serialize;

use crate::Result;
use crate::fleet::{Fleet, Loss};
use crate::input::{self, Text};
use crate::layout::{self, Board, Claim, Layout, Partial, Plan, Task};
use crate::program;
use crate::progress::Progress;
use crate::words::{self, Counts};
use crate::worker::Fault;

/// Time between two looks at the workers.
const LOOK: Duration = Duration::from_millis(100);

/// Partitions for each worker: enough that one slow partition does not hold up all.
const PARTITIONS_PER_WORKER: usize = 4;

/// Starts for each worker, its replacements among them, before the job is given up.
const STARTS_PER_WORKER: usize = 3;

/// Objects that are read at a time.
const READS: usize = 16;

/// A job, ready to run.
pub(crate) struct Job {
    pub(crate) store: Arc<dyn ObjectStore>,
    /// The URL by which workers open the store.
    pub(crate) store_url: String,
    pub(crate) name: String,
    pub(crate) layout: Layout,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) progress: Progress,
    pub(crate) workers: usize,
    /// Variables that the instances get.
    pub(crate) environment: Vec<(String, String)>,
    /// What happens to the first worker in the middle of its first task.
    pub(crate) fault: Option<Fault>,
}

/// What came out of a job.
#[derive(Debug, Default, Serialize)]
pub(crate) struct Outcome {
    pub(crate) objects: u64,
    pub(crate) bytes: u64,
    pub(crate) words: Counts,
    pub(crate) partitions: usize,
    /// Tasks that were done again because their worker was lost.
    pub(crate) repeated: usize,
}

impl Job {
    pub(crate) async fn run(&self, fleet: &mut Fleet, texts: &[Text]) -> Result<Outcome> {
        input::upload(&*self.store, &self.layout, texts, &self.progress).await?;
        let plan = input::plan(&self.layout, texts, self.workers * PARTITIONS_PER_WORKER)?;
        layout::create(&*self.store, &self.layout.plan()?, &plan).await?;
        let program = self.layout.program()?;
        let executable = std::env::current_exe()?;
        self.store.upload_file(executable, &program, &TransferOptions::default()).await?;
        let fetch = program::fetch_command(&*self.store, &self.store_url, &program).await?;

        if self.fault.is_some() {
            self.start(fleet, 1, &fetch).await?;
            self.break_first(fleet).await?;
        }
        self.start(fleet, self.workers - fleet.started(), &fetch).await?;
        let repeated = self.supervise(fleet, &plan, &fetch).await?;
        let outcome = self.reduce(&plan).await?;
        Ok(Outcome { repeated, ..outcome })
    }

    async fn start(&self, fleet: &mut Fleet, count: usize, fetch: &str) -> Result<()> {
        let script = |n: usize, name: &str| {
            let mut arguments =
                vec!["work", "--store", &self.store_url, "--job", &self.name, "--name", name];
            if let Some(fault) = self.fault.filter(|_| n == 0) {
                arguments.extend(["--fault", fault.as_str()]);
            }
            program::user_data(fetch, &self.environment, &arguments)
        };
        fleet.start(count, script).await
    }

    /// Waits until every partition is done, and replaces workers that are lost. Returns how many
    /// tasks were lost with them.
    async fn supervise(&self, fleet: &mut Fleet, plan: &Plan, fetch: &str) -> Result<usize> {
        self.progress.begin("counting", plan.partitions.len());
        let most = self.workers * STARTS_PER_WORKER;
        let mut claims = Claims::default();
        let mut repeated = 0;
        loop {
            let board = Board::read(&*self.store, &self.layout).await?;
            self.progress.at(board.done.len());
            if board.done.len() == plan.partitions.len() {
                return Ok(repeated);
            }
            claims.update(&*self.store, &self.layout, &board).await?;
            let beats = layout::beats(&*self.store, &self.layout).await?;
            for loss in fleet.lost(&beats).await? {
                let Loss { worker, why } = loss;
                self.progress.note(&format!("worker {worker} {why}: its work is done again"));
                if fleet.started() == most {
                    return Err(format!("{most} workers were started, and too many failed").into());
                }
                self.start(fleet, 1, fetch).await?;
            }
            // A worker may have claimed a task in the moment in which it was given up, so the question
            // is always who of those that have a task is still there.
            for (task, _) in claims.under_way.iter().filter(|(_, worker)| !fleet.has(worker)) {
                let again = Task { attempt: task.attempt + 1, ..*task };
                layout::create(&*self.store, &self.layout.offer(again)?, &()).await?;
                repeated += 1;
            }
            self.clock.sleep(LOOK).await;
        }
    }

    /// Waits until the first worker is in the middle of its first task, and kills it there if that is
    /// what has to be seen.
    async fn break_first(&self, fleet: &mut Fleet) -> Result<()> {
        while Board::read(&*self.store, &self.layout).await?.under_way().next().is_none() {
            let beats = layout::beats(&*self.store, &self.layout).await?;
            if let Some(loss) = fleet.lost(&beats).await?.first() {
                return Err(format!("worker {} {}", loss.worker, loss.why).into());
            }
            self.clock.sleep(LOOK).await;
        }
        if self.fault == Some(Fault::Stall) {
            fleet.kill(0).await?;
        }
        Ok(())
    }

    /// Adds up what came out of the partitions.
    async fn reduce(&self, plan: &Plan) -> Result<Outcome> {
        let mut partials = stream::iter(0..plan.partitions.len())
            .map(|partition| async move {
                layout::read::<Partial>(&*self.store, &self.layout.result(partition)?).await
            })
            .buffer_unordered(READS);
        let mut outcome = Outcome::default();
        while let Some(partial) = partials.try_next().await? {
            outcome.partitions += 1;
            outcome.objects += partial.objects;
            outcome.bytes += partial.bytes;
            words::merge(&mut outcome.words, partial.words);
        }
        Ok(outcome)
    }
}

/// Who does the tasks that are under way. A claim never changes, so each is read once.
#[derive(Debug, Default)]
struct Claims {
    under_way: BTreeMap<Task, String>,
}

impl Claims {
    async fn update(
        &mut self,
        store: &dyn ObjectStore,
        layout: &Layout,
        board: &Board,
    ) -> Result<()> {
        let mut before = std::mem::take(&mut self.under_way);
        for task in board.under_way() {
            let worker = match before.remove(&task) {
                Some(worker) => worker,
                None => layout::read::<Claim>(store, &layout.claim(task)?).await?.worker,
            };
            self.under_way.insert(task, worker);
        }
        Ok(())
    }
}
