//! What must hold of what there is.

use std::collections::BTreeSet;

use polycloud_core::{Outcome, ResourceRef};
use polycloud_emulator::{Ec2Resource, Fault};

use crate::bystanders::Bystanders;
use crate::job::{End, Job};
use crate::lab::{Lab, is_living};

/// A job, and all that was done about it.
#[derive(Debug, Clone)]
pub(crate) struct Record {
    pub(crate) job: Job,
    pub(crate) ends: Vec<End>,
    /// Instances whose end was asked for, by the identifiers of EC2.
    pub(crate) terminated: BTreeSet<String>,
    /// A request may have had its effect later than anybody waits.
    pub(crate) is_blurred: bool,
    /// Instances may end instead of running.
    pub(crate) may_fail: bool,
}

impl Record {
    pub(crate) fn new(job: Job) -> Self {
        Self {
            job,
            ends: Vec::new(),
            terminated: BTreeSet::new(),
            is_blurred: false,
            may_fail: false,
        }
    }

    /// Instances that a call has returned.
    pub(crate) fn known(&self) -> BTreeSet<String> {
        let made = self.ends.iter().filter_map(|end| match end {
            End::Made(made) => Some(made.iter().map(|(id, _)| id.clone())),
            _ => None,
        });
        made.flatten().collect()
    }

    /// Whether an earlier create was about to take an instance back: it was named as left, or its caller
    /// went in the midst of it. The provider remembers it by the token, and so it is what a repeated create
    /// returns.
    fn was_given_up(&self, native: &str) -> bool {
        let own = format!("/{native}");
        self.ends.iter().any(|end| match end {
            End::Failed { leaked, .. } => leaked.iter().any(|named| named.id.ends_with(&own)),
            End::Gone => true,
            End::Made(_) => false,
        })
    }

    /// What there is of it.
    pub(crate) fn inventory(&self, lab: &Lab, others: &Bystanders) -> Vec<Ec2Resource> {
        let all = lab.inventory().into_iter();
        all.filter(|it| self.job.made(it) && !others.has(it)).collect()
    }

    /// Checks what there is once a create has ended.
    pub(crate) fn after_create(&self, lab: &Lab, others: &Bystanders) -> Vec<String> {
        let mut wrong = self.tags(lab, others);
        let there = There::of(&self.inventory(lab, others), lab);
        let Some((last, earlier)) = self.ends.split_last() else { return wrong };
        let alone = earlier.iter().all(End::is_nothing);
        match last {
            End::Made(made) => self.after_success(lab, made, &there, &mut wrong),
            End::Failed { outcome, leaked, .. } => {
                if *outcome == Outcome::NotApplied && !leaked.is_empty() {
                    wrong.push("it is not applied, and leaks".into());
                }
                if last.is_nothing() && alone && !self.is_blurred && !there.is_empty() {
                    wrong.push("it is not applied, and this is there".into());
                }
                let is_known = *outcome == Outcome::Applied;
                for named in leaked.iter().filter(|named| is_known && is_sure(named)) {
                    if !there.has(named) && !removals_were_lost(lab) {
                        wrong.push(format!("{named} is named, and not there"));
                    }
                }
                if is_known && alone && !self.is_blurred {
                    let unnamed = there.all().filter(|it| !leaked.iter().any(|l| names(l, it)));
                    wrong.extend(unnamed.map(|it| format!("not named: {} {}", it.kind, it.id)));
                }
            }
            End::Gone => {}
        }
        self.told(wrong, &there)
    }

    fn after_success(
        &self,
        lab: &Lab,
        made: &[(String, String)],
        there: &There,
        wrong: &mut Vec<String>,
    ) {
        let ids: BTreeSet<_> = made.iter().map(|(id, _)| id.as_str()).collect();
        let names: BTreeSet<_> = made.iter().map(|(_, name)| name.as_str()).collect();
        let (least, most) = (self.job.least(), self.job.most());
        if made.len() < least || made.len() > most {
            wrong.push(format!("{} instances were made", made.len()));
        }
        if ids.len() != made.len() || names.len() != made.len() {
            wrong.push("an instance is there twice".into());
        }
        for (id, name) in made {
            let found = there.instances.iter().find(|instance| instance.id == *id);
            let ended = self.may_fail || self.terminated.contains(id) || self.was_given_up(id);
            match found {
                Some(found) if found.tags.get("Name") != Some(name) => {
                    wrong.push(format!("{id} is called {:?}, not {name}", found.tags.get("Name")));
                }
                None if !ended => {
                    wrong.push(format!("{id} was made and is {:?}", lab.state_of(id)));
                }
                _ => {}
            }
        }
        for instance in &there.instances {
            if !ids.contains(instance.id.as_str()) {
                wrong.push(format!("{} was not returned", instance.id));
            }
        }
        if self.is_blurred {
            return;
        }
        if !there.key_pairs.is_empty() {
            wrong.push("the key pair is still there".into());
        }
        let groups = usize::from(self.job.ingress && !there.instances.is_empty());
        let ended = there.instances.len() < made.len();
        if there.groups.len() != groups && !(ended && there.groups.len() == 1) {
            wrong.push(format!("there are {} security groups", there.groups.len()));
        }
    }

    /// Checks what there is once an instance was terminated, or not.
    pub(crate) fn after_terminate(
        &self,
        lab: &Lab,
        others: &Bystanders,
        native: &str,
        end: &End,
    ) -> Vec<String> {
        let mut wrong = self.tags(lab, others);
        let there = There::of(&self.inventory(lab, others), lab);
        let lives = lab.state_of(native).is_some_and(|state| is_living(&state));
        match end {
            End::Made(_) if lives => wrong.push(format!("{native} lives on")),
            End::Made(_) if there.instances.is_empty() && !there.groups.is_empty() => {
                wrong.push("the security group is left".into());
            }
            // What is named may be gone all the same: the answer that would have said so was lost.
            End::Failed { outcome: Outcome::Applied, leaked, .. }
                if !lives && there.instances.is_empty() =>
            {
                let unnamed = there.all().filter(|it| !leaked.iter().any(|l| names(l, it)));
                wrong.extend(unnamed.map(|it| format!("not named: {} {}", it.kind, it.id)));
            }
            _ => {}
        }
        self.told(wrong, &there)
    }

    /// Whatever there is says whose it is and what it was made for.
    fn tags(&self, lab: &Lab, others: &Bystanders) -> Vec<String> {
        let mut wrong = Vec::new();
        for it in self.inventory(lab, others) {
            let is_going = it.kind == "instance"
                && lab.state_of(&it.id).is_none_or(|state| !is_living(&state));
            let tag = |key: &str| it.tags.get(key).map(String::as_str);
            let owner = self.job.is_owned.then_some("ours");
            let token = match &self.job.token {
                Some(token) => tag("polycloud-token") == Some(token),
                None => tag("polycloud-token").is_some(),
            };
            if tag("polycloud-managed") != Some("1") || tag("polycloud-owner") != owner {
                wrong.push(format!("nobody can tell whose it is: {it:?}"));
            }
            if !token && !is_going {
                wrong.push(format!("nobody can tell what it was made for: {it:?}"));
            }
        }
        wrong
    }

    fn told(&self, mut wrong: Vec<String>, there: &There) -> Vec<String> {
        if !wrong.is_empty() {
            wrong.push(format!("{:?}", self.job));
            wrong.extend(self.ends.iter().map(|end| format!("  {end:?}")));
            wrong.extend(there.all().map(|it| format!("  there: {it:?}")));
        }
        wrong
    }
}

/// What there is of a job, but for what goes with instances.
struct There {
    /// The living ones.
    instances: Vec<Ec2Resource>,
    groups: Vec<Ec2Resource>,
    key_pairs: Vec<Ec2Resource>,
}

impl There {
    fn of(all: &[Ec2Resource], lab: &Lab) -> Self {
        let of = |kind: &str| {
            let lives = |it: &Ec2Resource| {
                it.kind != "instance" || lab.state_of(&it.id).is_some_and(|it| is_living(&it))
            };
            all.iter().filter(|it| it.kind == kind && lives(it)).cloned().collect::<Vec<_>>()
        };
        Self { instances: of("instance"), groups: of("security-group"), key_pairs: of("key-pair") }
    }

    fn is_empty(&self) -> bool {
        self.all().next().is_none()
    }

    fn all(&self) -> impl Iterator<Item = &Ec2Resource> {
        self.instances.iter().chain(&self.groups).chain(&self.key_pairs)
    }

    fn has(&self, named: &ResourceRef) -> bool {
        self.all().any(|it| names(named, it))
    }
}

/// Whether answers to removals were lost, so that what is named may be gone.
fn removals_were_lost(lab: &Lab) -> bool {
    lab.emulator.faults().fired().iter().any(|fired| {
        let removes = ["Delete", "Terminate"].iter().any(|it| fired.operation.starts_with(it));
        removes && !matches!(fired.fault, Fault::Status { .. })
    })
}

/// Whether a reference means what was there for sure, and not what an answer that was lost may have told.
fn is_sure(named: &ResourceRef) -> bool {
    !named.id.starts_with("with token ")
        && (named.kind != "security group" || named.id.starts_with("sg-"))
}

/// Whether a reference means a resource: by its identifier, its name, or the token that made it.
pub(crate) fn names(named: &ResourceRef, it: &Ec2Resource) -> bool {
    let kind = named.kind.replace(' ', "-");
    let token = it.tags.get("polycloud-token");
    kind == it.kind
        && (named.id == it.id
            || named.id.ends_with(&format!("/{}", it.id))
            || it.tags.get("Name") == Some(&named.id)
            || token.is_some_and(|token| named.id == format!("with token {token}")))
}
