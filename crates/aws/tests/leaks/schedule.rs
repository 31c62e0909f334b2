//! One schedule: jobs, faults, and callers that go away, all drawn from a seed.

use std::sync::Arc;
use std::time::Duration;

use polycloud_core::clock::{Clock as _, Random, SeededRandom};
use polycloud_core::compute::{InstanceId, SweepOptions, SweepReport, TerminateOptions};
use polycloud_emulator::{Fault, FaultRates, Rule, StallAt};

use crate::bystanders::Bystanders;
use crate::checks::Record;
use crate::job::{End, Job, TYPE};
use crate::lab::{Client, Lab, REGION, is_living, owner};
use crate::tap::{Cut, Moment};

/// What became of a schedule.
#[derive(Debug, Default)]
pub(crate) struct Report {
    pub(crate) lines: Vec<String>,
    pub(crate) wrong: Vec<String>,
    pub(crate) tally: Tally,
}

/// How much happened.
#[derive(Debug, Default, Clone, Copy)]
pub(crate) struct Tally {
    pub(crate) faults: usize,
    pub(crate) cuts: usize,
    pub(crate) made: usize,
    pub(crate) failed: usize,
    pub(crate) leaked: usize,
    pub(crate) swept: usize,
}

impl Tally {
    pub(crate) fn add(&mut self, other: Self) {
        self.faults += other.faults;
        self.cuts += other.cuts;
        self.made += other.made;
        self.failed += other.failed;
        self.leaked += other.leaked;
        self.swept += other.swept;
    }
}

/// A schedule as it is played.
struct Play {
    lab: Lab,
    random: Arc<dyn Random>,
    others: Bystanders,
    records: Vec<Record>,
    client: Client,
    report: Report,
}

/// Plays the schedule of a seed.
pub(crate) async fn run(seed: u64) -> Report {
    let random: Arc<dyn Random> = Arc::new(SeededRandom::new(seed));
    let lab = Lab::new(random.below(3) == 0);
    let client = lab.client(random.next_u64()).await;
    let others = Bystanders::make(&lab, &client).await;
    let (records, report) = (Vec::new(), Report::default());
    let mut play = Play { lab, random, others, records, client, report };
    play.prepare();
    for _ in 0..2 + play.below(5) {
        play.step().await;
    }
    play.end().await;
    play.report
}

impl Play {
    fn below(&self, bound: u64) -> u64 {
        self.random.below(bound)
    }

    fn one_of<T: Clone>(&self, all: &[T]) -> T {
        all[usize::try_from(self.below(all.len() as u64)).unwrap()].clone()
    }

    fn line(&mut self, line: &str) {
        let at = self.lab.clock.monotonic();
        self.report.lines.push(format!("{at:?} {line}"));
    }

    /// Draws the jobs, and what goes wrong.
    fn prepare(&mut self) {
        for n in 0..1 + self.below(3) {
            let name = format!("job{n}");
            let count = match self.below(3) {
                0 => {
                    let min = 1 + u32::try_from(self.below(3)).unwrap();
                    Some((min, min + u32::try_from(self.below(3)).unwrap()))
                }
                _ => None,
            };
            let job = Job {
                token: (self.below(5) > 0).then(|| format!("token-{name}")),
                is_owned: self.below(8) > 0,
                count,
                ingress: self.below(4) > 0,
                key: self.below(4) > 0,
                name,
            };
            if let Some(token) = &job.token {
                self.lab.most.lock().unwrap().insert(token.clone(), job.most());
            }
            self.line(&format!("{job:?}"));
            self.records.push(Record::new(job));
        }
        let visible = Duration::from_millis(self.one_of(&[0, 0, 500, 2_000, 5_000, 20_000]));
        self.lab.ec2().lag_drawn(self.random.next_u64(), visible, 0);
        self.line(&format!("lag: {visible:?}"));
        self.draw_limits();
        self.draw_rules();
        let rates = self.draw_rates();
        self.line(&format!("{rates:?}"));
        self.lab.emulator.faults().seeded(self.random.next_u64(), rates);
    }

    /// Room and quota.
    fn draw_limits(&mut self) {
        let ec2 = self.lab.ec2();
        match self.below(8) {
            0 => {
                let room = usize::try_from(self.below(4)).unwrap();
                for zone in ["a", "b", "c"] {
                    ec2.capacity(format!("{REGION}{zone}"), TYPE, room);
                }
                self.line(&format!("room for {room}"));
            }
            1 => {
                let more = usize::try_from(self.below(4)).unwrap();
                ec2.quota_instances(ec2.instances().len() + more);
                self.line(&format!("quota for {more}"));
            }
            2 => {
                let failing = 1 + usize::try_from(self.below(3)).unwrap();
                ec2.fail_launches(REGION, failing, "Server.InternalError", "failed").unwrap();
                self.records.iter_mut().for_each(|record| record.may_fail = true);
                self.line(&format!("{failing} launches fail"));
            }
            _ => {}
        }
    }

    /// Requests that fail for good, at length, or after their effect.
    fn draw_rules(&mut self) {
        const OPERATIONS: [&str; 10] = [
            "CreateSecurityGroup",
            "AuthorizeSecurityGroupIngress",
            "ImportKeyPair",
            "RunInstances",
            "CreateTags",
            "DeleteKeyPair",
            "TerminateInstances",
            "ModifyInstanceAttribute",
            "DeleteSecurityGroup",
            "DescribeInstances",
        ];
        for _ in 0..self.one_of(&[0, 0, 1, 1, 2, 3]) {
            let operation = self.one_of(&OPERATIONS);
            let status = |status, code: &str| Fault::Status {
                status,
                code: code.to_owned(),
                retry_after: None,
            };
            let after = |status, code: &str| Fault::ErrorAfterEffect { status, code: code.into() };
            let fault = self.one_of(&[
                status(403, "UnauthorizedOperation"),
                status(400, "DependencyViolation"),
                status(500, "InsufficientInstanceCapacity"),
                status(503, "RequestLimitExceeded"),
                status(500, "InternalError"),
                after(500, "InternalError"),
                after(504, "GatewayTimeout"),
                Fault::ResetAfterEffect,
                Fault::ResetBeforeResponse,
            ]);
            let (nth, times) = (1 + self.below(3), self.one_of(&[1, 2, 6, 1_000]));
            self.line(&format!("{operation} {nth} +{times}: {fault:?}"));
            let rule = Rule::new(fault).operation(operation).nth(nth).times(times);
            self.lab.emulator.faults().push(rule);
        }
    }

    fn draw_rates(&self) -> FaultRates {
        let base = self.one_of(&[0.0, 0.0, 0.01, 0.03, 0.08]);
        let mut rates = FaultRates::uniform(base);
        for rate in [
            &mut rates.refuse_connection,
            &mut rates.reset_before_read,
            &mut rates.reset_before_response,
            &mut rates.reset_after_effect,
            &mut rates.reset_during_response,
            &mut rates.truncate_body,
            &mut rates.stall,
            &mut rates.status,
            &mut rates.error_after_effect,
        ] {
            *rate *= self.one_of(&[0.0, 1.0, 1.0, 3.0]);
        }
        rates.expired_token *= 0.1;
        rates.skewed_clock *= 0.1;
        rates.error_in_200 *= self.one_of(&[0.0, 0.0, 1.0]);
        rates.stall_for = Duration::from_secs(self.one_of(&[5, 60, 600]));
        rates.in_a_row = self.one_of(&[0, 1, 5]);
        rates
    }

    async fn step(&mut self) {
        let n = usize::try_from(self.below(self.records.len() as u64)).unwrap();
        let living: Vec<_> = self.records[n].known().into_iter().collect();
        let is_repeatable = self.records[n].job.token.is_some() || self.records[n].ends.is_empty();
        match self.below(10) {
            0..=3 if !living.is_empty() => {
                let native = self.one_of(&living);
                self.terminate(n, &native).await;
            }
            4 if self.records[n].job.token.is_some() => self.create_twice(n).await,
            _ if is_repeatable => self.create(n).await,
            _ => {}
        }
        let time = self.one_of(&[0, 0, 1, 3, 30, 300]);
        self.lab.pass(Duration::from_secs(time)).await;
    }

    async fn create(&mut self, n: usize) {
        let (cut, killed) = self.draw_cut();
        let job = self.records[n].job.clone();
        self.line(&format!("create {}: {cut:?}, killed: {killed}", job.name));
        self.blur(n, cut.as_ref());
        let work = job.create(&*self.client.compute);
        let end = self.client.tap.until_cut(cut, work).await.unwrap_or(End::Gone);
        self.note(n, end);
        self.look_for_late_effects(n);
        let wrong = self.records[n].after_create(&self.lab, &self.others);
        self.report.wrong.extend(wrong);
        self.look_for_strays();
        if killed {
            self.client = self.lab.client(self.random.next_u64()).await;
        }
    }

    /// Two processes do the same at the same time.
    async fn create_twice(&mut self, n: usize) {
        let job = self.records[n].job.clone();
        let other = self.lab.client(self.random.next_u64()).await;
        let ((first, _), (second, _)) = (self.draw_cut(), self.draw_cut());
        self.line(&format!("create {} twice: {first:?}, {second:?}", job.name));
        self.blur(n, first.as_ref());
        self.blur(n, second.as_ref());
        let one = self.client.tap.until_cut(first, job.create(&*self.client.compute));
        let two = other.tap.until_cut(second, job.create(&*other.compute));
        let (one, two) = futures::future::join(one, two).await;
        for end in [one, two] {
            self.note(n, end.unwrap_or(End::Gone));
        }
        // Each may take away what the other one has made, and neither knows.
        let record = &mut self.records[n];
        record.is_blurred = true;
        record.terminated.extend(record.known());
    }

    async fn terminate(&mut self, n: usize, native: &str) {
        let (cut, killed) = self.draw_cut();
        self.line(&format!("terminate {native}: {cut:?}, killed: {killed}"));
        self.blur(n, cut.as_ref());
        self.records[n].terminated.insert(native.to_owned());
        let id = InstanceId::new("aws", REGION, native).unwrap();
        let options = match self.records[n].job.is_owned && self.below(2) == 0 {
            true => TerminateOptions::default().with_only_owner(owner()),
            false => TerminateOptions::default(),
        };
        let work = self.client.compute.terminate(&id, &options);
        let end = match self.client.tap.until_cut(cut, work).await {
            Some(Ok(())) => End::Made(Vec::new()),
            Some(Err(error)) => End::failed(&error),
            None => End::Gone,
        };
        self.tell(&end);
        self.look_for_late_effects(n);
        let record = &self.records[n];
        if !record.is_blurred {
            let wrong = record.after_terminate(&self.lab, &self.others, native, &end);
            self.report.wrong.extend(wrong);
        }
        if killed {
            self.client = self.lab.client(self.random.next_u64()).await;
        }
    }

    /// When the caller goes, and whether its process does.
    fn draw_cut(&mut self) -> (Option<Cut>, bool) {
        let moment = match self.below(4) {
            0 => Moment::Before,
            1 => Moment::Underway(Duration::from_millis(self.one_of(&[0, 100, 3_000, 20_000]))),
            _ => Moment::After,
        };
        let cut = match self.below(10) {
            0..=3 => {
                let nth = 1 + self.below(16);
                Some(Cut::Request { operation: None, nth, moment })
            }
            4 => Some(Cut::Time(Duration::from_millis(self.below(40_000)))),
            _ => None,
        };
        let killed = cut.is_some() && self.below(2) == 0;
        (cut, killed)
    }

    fn note(&mut self, n: usize, end: End) {
        self.tell(&end);
        self.records[n].ends.push(end);
    }

    fn tell(&mut self, end: &End) {
        self.line(&format!("  {end:?}"));
        match end {
            End::Made(_) => self.report.tally.made += 1,
            End::Failed { leaked, .. } => {
                self.report.tally.failed += 1;
                self.report.tally.leaked += leaked.len();
            }
            End::Gone => self.report.tally.cuts += 1,
        }
    }

    /// A request that arrives once its caller has gone can come at any time.
    fn blur(&mut self, n: usize, cut: Option<&Cut>) {
        let late = |moment: &Moment| matches!(moment, Moment::Underway(late) if !late.is_zero());
        match cut {
            Some(Cut::Request { moment, .. }) if late(moment) => self.records[n].is_blurred = true,
            // It can go while a request is on its way.
            Some(Cut::Time(_)) => self.records[n].is_blurred = true,
            _ => {}
        }
    }

    fn look_for_late_effects(&mut self, n: usize) {
        let late = |fault: &Fault| {
            matches!(fault, Fault::Stall { at: StallAt::BeforeEffect, duration }
                if *duration > Duration::from_secs(20))
        };
        if self.lab.emulator.faults().fired().iter().any(|fired| late(&fired.fault)) {
            self.records[n].is_blurred = true;
        }
    }

    /// Everything that was begun comes to its end; then there is a sweep.
    async fn end(&mut self) {
        if self.below(3) == 0 {
            // One that is itself interrupted.
            let (cut, _) = self.draw_cut();
            self.line(&format!("sweep: {cut:?}"));
            let client = self.lab.client(self.random.next_u64()).await;
            let _ = self.sweep(&client, cut).await;
        }
        self.report.tally.faults = self.lab.emulator.faults().fired().len();
        self.lab.emulator.faults().clear();
        self.lab.ec2().unlimited_capacity();
        self.lab.pass(Duration::from_secs(self.one_of(&[700, 3_000, 7_200]))).await;
        let unowned = self.unowned();
        let client = self.lab.client(self.random.next_u64()).await;
        let swept = self.sweep(&client, None).await.unwrap();
        self.check_sweep(swept);
        self.lab.pass(Duration::from_secs(900)).await;
        self.check_rest(&unowned);
        if self.lab.pending().await > self.ownerless() {
            self.report.wrong.push("the journal still names intents".into());
        }
        let twins = std::mem::take(&mut *self.lab.twins());
        self.report.wrong.extend(twins);
    }

    /// Each thing there is belongs to others, or tells for which job it was made.
    fn look_for_strays(&mut self) {
        for it in self.lab.inventory() {
            let is_known = self.records.iter().any(|record| record.job.made(&it));
            if !is_known && !self.others.has(&it) {
                self.report.wrong.push(format!("nobody can tell what it is: {it:?}"));
            }
        }
    }

    async fn sweep(
        &self,
        client: &Client,
        cut: Option<Cut>,
    ) -> Option<Result<SweepReport, polycloud_core::Error>> {
        let options = SweepOptions::new(owner());
        let sweep = client.compute.sweep().unwrap();
        client.tap.until_cut(cut, sweep.sweep(&options)).await
    }

    /// Creates that no sweep of an owner looks after.
    fn ownerless(&self) -> usize {
        let calls = self.records.iter().filter(|record| !record.job.is_owned);
        calls.map(|record| record.ends.len()).sum()
    }

    /// What belongs to nobody, and is found by its token only.
    fn unowned(&self) -> Vec<String> {
        let records = self.records.iter().filter(|record| !record.job.is_owned);
        let there = records.flat_map(|record| record.inventory(&self.lab, &self.others));
        there.map(|it| it.id).collect()
    }

    fn check_sweep(&mut self, swept: Result<SweepReport, polycloud_core::Error>) {
        let report = match swept {
            Ok(report) => report,
            Err(error) => {
                self.report.wrong.push(format!("the sweep failed: {error:?}"));
                return;
            }
        };
        self.line(&format!("{report:?}"));
        self.report.tally.swept += report.removed.len();
        for (what, error) in &report.failed {
            self.report.wrong.push(format!("the sweep could not remove {what}: {error:?}"));
        }
        let now = self.lab.inventory();
        for gone in &report.removed {
            let lives = |id: &str| self.lab.state_of(id).is_none_or(|state| is_living(&state));
            let still = now.iter().find(|it| crate::checks::names(gone, it) && lives(&it.id));
            if let Some(still) = still {
                self.report.wrong.push(format!("{gone} is gone, and there: {still:?}"));
            }
        }
    }

    /// Nothing is left but what belongs to others.
    fn check_rest(&mut self, unowned: &[String]) {
        let now = self.lab.inventory();
        for it in &now {
            if !self.others.has(it) && !unowned.contains(&it.id) {
                self.report.wrong.push(format!("left after the sweep: {it:?}"));
            }
        }
        for id in unowned {
            if !now.iter().any(|it| it.id == *id) {
                self.report.wrong.push(format!("the sweep took what has no owner: {id}"));
            }
        }
        self.report.wrong.extend(self.others.changes(&self.lab));
    }
}
