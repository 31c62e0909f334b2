//! Each step of a create and of a terminate, and exactly what is left when it goes wrong.

use std::time::Duration;

use polycloud_core::Outcome;
use polycloud_core::compute::{InstanceId, SweepOptions, TerminateOptions};
use polycloud_emulator::{Fault, Rule};

use crate::bystanders::Bystanders;
use crate::checks::Record;
use crate::job::{End, Job, TYPE};
use crate::lab::{Client, Lab, REGION, is_living, owner};
use crate::paused::on_paused_time;
use crate::plain::element;
use crate::tap::{Cut, Moment};

const GROUP: &str = "security-group";
const INSTANCE: &str = "instance";
const KEY: &str = "key-pair";

/// What is to come of a call.
#[derive(Debug, PartialEq, Eq)]
enum Becomes {
    Made(usize),
    /// With this outcome, and these kinds in `leaked`.
    Failed(Outcome, Vec<String>),
    Gone,
}

impl Becomes {
    fn of(end: &End) -> Self {
        match end {
            End::Made(made) => Self::Made(made.len()),
            End::Failed { outcome, leaked, .. } => {
                Self::Failed(*outcome, leaked.iter().map(|it| it.kind.replace(' ', "-")).collect())
            }
            End::Gone => Self::Gone,
        }
    }

    fn leaks(kinds: &[&str]) -> Self {
        Self::Failed(Outcome::Applied, kinds.iter().map(|kind| (*kind).to_owned()).collect())
    }

    fn nothing() -> Self {
        Self::Failed(Outcome::NotApplied, Vec::new())
    }
}

/// An emulator with others in it, and a client.
struct Stage {
    lab: Lab,
    client: Client,
    others: Bystanders,
}

impl Stage {
    async fn new(journal: bool) -> Self {
        let lab = Lab::new(journal);
        let client = lab.client(1).await;
        let others = Bystanders::make(&lab, &client).await;
        Self { lab, client, others }
    }

    fn fault(&self, operation: &str, fault: &Fault, times: u64) {
        let rule = Rule::new(fault.clone()).operation(operation).times(times);
        self.lab.emulator.faults().push(rule);
    }

    async fn create(&self, job: &Job, cut: Option<Cut>) -> End {
        let work = job.create(&*self.client.compute);
        self.client.tap.until_cut(cut, work).await.unwrap_or(End::Gone)
    }

    async fn terminate(&self, native: &str, cut: Option<Cut>) -> End {
        let id = InstanceId::new("aws", REGION, native).unwrap();
        let options = TerminateOptions::default().with_only_owner(owner());
        let work = self.client.compute.terminate(&id, &options);
        match self.client.tap.until_cut(cut, work).await {
            Some(Ok(())) => End::Made(Vec::new()),
            Some(Err(error)) => End::failed(&error),
            None => End::Gone,
        }
    }

    /// Kinds of what is ours, but for what goes with instances and instances that go.
    fn left(&self) -> Vec<&'static str> {
        let lives = |id: &str| self.lab.state_of(id).is_none_or(|state| is_living(&state));
        let mut left: Vec<_> = self
            .lab
            .inventory()
            .iter()
            .filter(|it| [GROUP, INSTANCE, KEY].contains(&it.kind) && lives(&it.id))
            .filter(|it| !self.others.has(it))
            .map(|it| it.kind)
            .collect();
        left.sort_unstable();
        left
    }

    /// Another process sweeps after a while; then there is nothing but what belongs to others.
    async fn sweep(&self, after: Duration) {
        self.lab.emulator.faults().clear();
        self.lab.pass(after).await;
        let client = self.lab.client(2).await;
        let options = SweepOptions::new(owner());
        let report = client.compute.sweep().unwrap().sweep(&options).await.unwrap();
        assert!(report.failed.is_empty(), "{report:?}");
        let now = self.lab.inventory();
        let left: Vec<_> = now.iter().filter(|it| !self.others.has(it)).collect();
        assert!(left.is_empty(), "{left:?}");
        assert_eq!(self.lab.pending().await, 0);
        assert_eq!(self.others.changes(&self.lab), [""; 0]);
    }

    fn check(&self, record: &Record) {
        let wrong = record.after_create(&self.lab, &self.others);
        assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    }
}

fn refused() -> Fault {
    Fault::Status { status: 403, code: "UnauthorizedOperation".into(), retry_after: None }
}

fn lost() -> Fault {
    Fault::ErrorAfterEffect { status: 500, code: "InternalError".into() }
}

fn after(operation: &'static str) -> Cut {
    Cut::Request { operation: Some(operation), nth: 1, moment: Moment::After }
}

/// A single instance with all that goes with it, or two for the steps that only several have.
fn job(operation: &str) -> Job {
    if operation == "CreateTags" { Job::many("web", 2, 2) } else { Job::whole("web") }
}

/// Plays a create in which the requests of an operation fail, and sweeps.
async fn fails(operation: &'static str, fault: Fault, times: u64, end: Becomes, left: &[&str]) {
    let stage = Stage::new(operation.len().is_multiple_of(2)).await;
    stage.fault(operation, &fault, times);
    let mut record = Record::new(job(operation));
    let found = stage.create(&record.job, None).await;
    let seen = (operation, Becomes::of(&found), stage.left());
    assert_eq!(seen, (operation, end, left.to_vec()), "{fault:?} ×{times}: {found:?}");
    assert!(!stage.lab.emulator.faults().fired().is_empty(), "{operation}");
    record.ends.push(found);
    stage.check(&record);
    stage.sweep(Duration::from_secs(60)).await;
}

#[test]
fn a_step_that_is_refused_leaves_nothing_unnamed() {
    on_paused_time(async {
        let all = u64::MAX;
        for operation in [
            "DescribeInstances",
            "CreateSecurityGroup",
            "AuthorizeSecurityGroupIngress",
            "ImportKeyPair",
            "RunInstances",
            "CreateTags",
        ] {
            fails(operation, refused(), all, Becomes::nothing(), &[]).await;
        }
        // It cannot be removed afterwards, either.
        fails("DeleteKeyPair", refused(), all, Becomes::leaks(&[KEY]), &[KEY]).await;
        fails("DeleteKeyPair", refused(), 1, Becomes::nothing(), &[]).await;
    });
}

#[test]
fn what_cannot_be_undone_is_named() {
    on_paused_time(async {
        let all = u64::MAX;
        for (undone, end, left) in [
            ("TerminateInstances", &[INSTANCE, GROUP][..], &[INSTANCE, GROUP][..]),
            ("DeleteSecurityGroup", &[GROUP], &[GROUP]),
        ] {
            let stage = Stage::new(true).await;
            stage.fault("DeleteKeyPair", &refused(), 1);
            stage.fault(undone, &refused(), all);
            let mut record = Record::new(Job::whole("web"));
            let found = stage.create(&record.job, None).await;
            assert_eq!(Becomes::of(&found), Becomes::leaks(end), "{found:?}");
            assert_eq!(stage.left(), left);
            record.ends.push(found);
            stage.check(&record);
            assert_eq!(stage.lab.pending().await, 1, "the journal remembers it");
            stage.sweep(Duration::ZERO).await;
        }
    });
}

#[test]
fn an_answer_that_is_lost_once_does_no_harm() {
    on_paused_time(async {
        let reset = || Fault::ResetAfterEffect;
        for operation in ["CreateSecurityGroup", "AuthorizeSecurityGroupIngress", "ImportKeyPair"] {
            for fault in [reset(), lost()] {
                let stage = Stage::new(false).await;
                stage.fault(operation, &fault, 1);
                let mut record = Record::new(job(operation));
                let found = stage.create(&record.job, None).await;
                // Whether it is tried again or given up: all of it is there, or nothing.
                let left = match Becomes::of(&found) {
                    Becomes::Made(1) => vec![INSTANCE, GROUP],
                    end => {
                        assert_eq!(end, Becomes::nothing(), "{operation} {found:?}");
                        Vec::new()
                    }
                };
                assert_eq!(stage.left(), left, "{operation}");
                record.ends.push(found);
                stage.check(&record);
                stage.sweep(Duration::from_secs(60)).await;
            }
        }
        for (operation, made) in [("RunInstances", 1), ("DeleteKeyPair", 1), ("CreateTags", 2)] {
            let left = [vec![INSTANCE; made], vec![GROUP]].concat();
            fails(operation, reset(), 1, Becomes::Made(made), &left).await;
            fails(operation, lost(), 1, Becomes::Made(made), &left).await;
        }
    });
}

#[test]
fn answers_that_are_always_lost_are_looked_after() {
    on_paused_time(async {
        let all = u64::MAX;
        for operation in ["CreateSecurityGroup", "RunInstances", "CreateTags"] {
            fails(operation, lost(), all, Becomes::nothing(), &[]).await;
        }
        // It is gone, but all that is told is that it may be there.
        let unknown = Becomes::Failed(Outcome::Unknown, vec![KEY.to_owned()]);
        fails("DeleteKeyPair", lost(), all, unknown, &[]).await;
    });
}

#[test]
fn a_caller_that_goes_leaves_what_was_made_until_it_comes_back_or_sweeps() {
    on_paused_time(async {
        for (operation, left) in [
            ("DescribeInstances", &[][..]),
            ("CreateSecurityGroup", &[GROUP]),
            ("AuthorizeSecurityGroupIngress", &[GROUP]),
            ("ImportKeyPair", &[KEY, GROUP]),
            ("RunInstances", &[INSTANCE, KEY, GROUP]),
            ("DeleteKeyPair", &[INSTANCE, GROUP]),
            ("CreateTags", &[INSTANCE, INSTANCE, GROUP]),
        ] {
            for comes_back in [false, true] {
                let stage = Stage::new(comes_back).await;
                let mut record = Record::new(job(operation));
                let found = stage.create(&record.job, Some(after(operation))).await;
                let seen = (operation, Becomes::of(&found), stage.left());
                assert_eq!(seen, (operation, Becomes::Gone, left.to_vec()));
                record.ends.push(found);
                stage.check(&record);
                if comes_back {
                    let again = stage.create(&record.job, None).await;
                    let made = record.job.most();
                    assert_eq!(Becomes::of(&again), Becomes::Made(made), "{operation}: {again:?}");
                    let all = [vec![INSTANCE; made], vec![GROUP]].concat();
                    assert_eq!(stage.left(), all, "{operation}");
                    record.ends.push(again);
                    stage.check(&record);
                }
                stage.sweep(Duration::from_secs(10)).await;
            }
        }
    });
}

#[test]
fn those_that_are_seen_one_by_one_are_found_all() {
    on_paused_time(async {
        for seed in 0..6 {
            let stage = Stage::new(false).await;
            stage.lab.ec2().lag_drawn(seed, Duration::from_secs(10), 0);
            let mut record = Record::new(Job::many("web", 1, 3));
            record.ends.push(stage.create(&record.job, Some(after("RunInstances"))).await);
            stage.lab.pass(Duration::from_secs(4)).await;
            let again = stage.create(&record.job, None).await;
            assert_eq!(Becomes::of(&again), Becomes::Made(3), "{seed}: {again:?}");
            record.ends.push(again);
            stage.check(&record);
            stage.sweep(Duration::from_secs(10)).await;
        }
        // The answer to the launch is lost for good, and all of it is to be taken back.
        for seed in 0..6 {
            let stage = Stage::new(false).await;
            stage.lab.ec2().lag_drawn(seed, Duration::from_secs(10), 0);
            stage.fault("RunInstances", &lost(), u64::MAX);
            let mut record = Record::new(Job::many("web", 1, 3));
            let found = stage.create(&record.job, None).await;
            assert_eq!(Becomes::of(&found), Becomes::nothing(), "{seed}: {found:?}");
            record.ends.push(found);
            stage.check(&record);
            stage.sweep(Duration::from_secs(10)).await;
        }
    });
}

#[test]
fn a_request_that_is_not_sent_any_more_makes_nothing() {
    on_paused_time(async {
        for (operation, left) in [
            ("CreateSecurityGroup", &[][..]),
            ("ImportKeyPair", &[GROUP]),
            ("RunInstances", &[KEY, GROUP]),
        ] {
            let stage = Stage::new(true).await;
            let cut = Cut::Request { operation: Some(operation), nth: 1, moment: Moment::Before };
            let found = stage.create(&job(operation), Some(cut)).await;
            assert_eq!((Becomes::of(&found), stage.left()), (Becomes::Gone, left.to_vec()));
            stage.sweep(Duration::ZERO).await;
        }
    });
}

#[test]
fn a_journal_finds_what_is_not_seen_yet() {
    on_paused_time(async {
        let lag = Duration::from_secs(8);
        for operation in ["CreateSecurityGroup", "ImportKeyPair", "RunInstances"] {
            let stage = Stage::new(true).await;
            stage.lab.ec2().lag(lag, 0);
            let found = stage.create(&job(operation), Some(after(operation))).await;
            assert_eq!(Becomes::of(&found), Becomes::Gone);
            assert!(!stage.left().is_empty());
            assert_eq!(stage.lab.pending().await, 1);
            // The one who sweeps is there at once, when no list shows anything of it.
            stage.sweep(Duration::ZERO).await;
        }
    });
}

#[test]
fn below_the_least_number_nothing_is_made() {
    on_paused_time(async {
        for (room, min, max, end) in [
            (0, 1, 1, Becomes::nothing()),
            (1, 2, 2, Becomes::nothing()),
            (2, 3, 4, Becomes::nothing()),
            (1, 1, 3, Becomes::Made(1)),
            (2, 1, 3, Becomes::Made(2)),
        ] {
            for by_quota in [false, true] {
                let stage = Stage::new(false).await;
                let ec2 = stage.lab.ec2();
                if by_quota {
                    ec2.quota_instances(ec2.instances().len() + room);
                } else {
                    for zone in ["a", "b", "c"] {
                        ec2.capacity(format!("{REGION}{zone}"), TYPE, room);
                    }
                }
                let mut record = Record::new(Job::many("web", min, max));
                let found = stage.create(&record.job, None).await;
                let text = format!("room {room}, {min} to {max}, {by_quota}: {found:?}");
                assert_eq!(Becomes::of(&found), end, "{text}");
                record.ends.push(found);
                stage.check(&record);
                stage.sweep(Duration::from_secs(60)).await;
            }
        }
    });
}

#[test]
fn a_name_is_taken_as_soon_as_it_was_given() {
    on_paused_time(async {
        let stage = Stage::new(false).await;
        stage.lab.ec2().lag(Duration::from_secs(5), 2);
        let first = stage.create(&Job::whole("web"), None).await;
        assert_eq!(Becomes::of(&first), Becomes::Made(1));
        let other = Job { token: Some("another".into()), ..Job::whole("web") };
        let second = stage.create(&other, None).await;
        assert_eq!(Becomes::of(&second), Becomes::nothing(), "{second:?}");
        assert_eq!(stage.left(), [INSTANCE, GROUP]);
        stage.lab.catch_up().await;
        stage.sweep(Duration::from_secs(60)).await;
    });
}

/// Makes an instance and plays its end, in which the requests of an operation fail.
async fn ends(
    operation: &'static str,
    fault: Option<Fault>,
    times: u64,
    end: Becomes,
    left: &[&str],
) {
    let stage = Stage::new(false).await;
    let mut record = Record::new(Job::whole("web"));
    record.ends.push(stage.create(&record.job, None).await);
    let native = record.known().pop_first().unwrap();
    stage.lab.pass(Duration::from_secs(60)).await;
    let cut = fault.is_none().then(|| after(operation));
    if let Some(fault) = &fault {
        stage.fault(operation, fault, times);
    }
    let found = stage.terminate(&native, cut).await;
    let seen = (operation, Becomes::of(&found), stage.left());
    assert_eq!(seen, (operation, end, left.to_vec()), "{fault:?} ×{times}: {found:?}");
    let wrong = record.after_terminate(&stage.lab, &stage.others, &native, &found);
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    stage.lab.emulator.faults().clear();
    // It can be said again, also by one who does not know how far the first one came.
    let again = stage.terminate(&native, None).await;
    assert_eq!((Becomes::of(&again), stage.left()), (Becomes::Made(0), vec![]), "{operation}");
    stage.sweep(Duration::from_secs(60)).await;
}

#[test]
fn each_step_of_a_terminate() {
    on_paused_time(async {
        let all = u64::MAX;
        let busy =
            Fault::Status { status: 400, code: "DependencyViolation".into(), retry_after: None };
        let done = || Becomes::Made(0);
        let whole = &[INSTANCE, GROUP];
        ends("DescribeInstances", Some(refused()), 1, Becomes::nothing(), whole).await;
        ends("TerminateInstances", Some(refused()), all, Becomes::nothing(), whole).await;
        ends("ModifyInstanceAttribute", Some(refused()), all, done(), &[]).await;
        ends("DeleteSecurityGroup", Some(busy), 5, done(), &[]).await;
        let left = Becomes::leaks(&[GROUP]);
        ends("DeleteSecurityGroup", Some(refused()), all, left, &[GROUP]).await;
        for operation in ["TerminateInstances", "ModifyInstanceAttribute", "DeleteSecurityGroup"] {
            ends(operation, Some(Fault::ResetAfterEffect), 1, done(), &[]).await;
            ends(operation, Some(lost()), 1, done(), &[]).await;
            let left: &[&str] = if operation == "DeleteSecurityGroup" { &[] } else { &[GROUP] };
            ends(operation, None, 1, Becomes::Gone, left).await;
        }
    });
}

#[test]
fn a_volume_of_somebody_else_survives_the_instance_it_is_attached_to() {
    on_paused_time(async {
        let stage = Stage::new(false).await;
        let mut record = Record::new(Job::whole("web"));
        record.ends.push(stage.create(&record.job, None).await);
        let native = record.known().pop_first().unwrap();
        stage.lab.pass(Duration::from_secs(60)).await;
        let all = stage.lab.ec2().instances();
        let zone = all.into_iter().find(|it| it.id == native).unwrap().zone;
        let volume = [("AvailabilityZone", zone.as_str()), ("Size", "1")];
        let volume = element(&stage.lab.ask("CreateVolume", &volume).await, "volumeId");
        stage.lab.pass(Duration::from_secs(60)).await;
        let attachment =
            [("VolumeId", volume.as_str()), ("InstanceId", &native), ("Device", "/dev/sdf")];
        stage.lab.ask("AttachVolume", &attachment).await;
        stage.lab.pass(Duration::from_secs(60)).await;
        let options = SweepOptions::new(owner());
        let report = stage.client.compute.sweep().unwrap().sweep(&options).await.unwrap();
        assert!(report.failed.is_empty() && !report.removed.is_empty(), "{report:?}");
        let left: Vec<_> =
            stage.lab.inventory().into_iter().filter(|it| !stage.others.has(it)).collect();
        assert_eq!(left.iter().map(|it| it.id.as_str()).collect::<Vec<_>>(), [volume]);
    });
}
