//! Creating instances: checks, then journals for all of them under the lock of the root.

use std::collections::HashSet;
use std::net::Ipv4Addr;
use std::sync::Arc;

use polycloud_core::checksum::ChecksumAlgorithm;
use polycloud_core::compute::{
    Count, CreateOptions, CreateReport, Hardware, InstanceName, InstanceSpec, Labels, UserData,
};
use polycloud_core::{BlastRadius, Error, ErrorKind, ResourceRef, Result};
use serde::Serialize;

use super::drive::Pledge;
use super::error::broken;
use super::ids::{self, ZONES};
use super::journal::{InstanceDir, Phase, Record};
use super::{Inner, image, types};

/// A create whose arguments are legal and whose type and image exist.
struct Plan {
    spec: InstanceSpec,
    options: CreateOptions,
    count: Count,
    instance_type: String,
    image: String,
    zone: String,
    fingerprint: String,
}

/// What the instances that are there mean for new ones.
#[derive(Default)]
struct Taken {
    names: HashSet<InstanceName>,
    addresses: HashSet<Ipv4Addr>,
    living: usize,
}

impl Inner {
    /// Creates between min and max instances, or none. They boot in the background.
    pub(super) fn create(
        self: &Arc<Self>,
        spec: &InstanceSpec,
        count: Count,
        options: &CreateOptions,
    ) -> Result<(CreateReport, Pledge)> {
        let plan = self.plan(spec, count, options)?;
        let lock = self.lock_root()?;
        self.remove_unfinished()?;
        let records = self.records()?;
        let earlier = plan.earlier(&records)?;
        let mut taken = Taken::of(&records);
        let (mut instances, mut made, mut shortfall) = (Vec::new(), Vec::new(), None);
        for index in 0..count.max() {
            let result = match earlier.iter().find(|record| record.index == index) {
                Some(record) => record.instance(),
                None => self.create_one(&plan, index, &mut taken).and_then(|record| {
                    made.push(InstanceDir::new(&self.instances(), &record.id));
                    record.instance()
                }),
            };
            match result {
                Ok(instance) => instances.push(instance),
                Err(error) => shortfall = shortfall.or(Some(error)),
            }
        }
        drop(lock);
        match shortfall {
            Some(error) if instances.len() < count_of(count.min()) => Err(self.undo(&made, error)),
            shortfall => {
                let pledges = made.iter().map(|dir| self.drive(dir));
                let pledge = pledges.fold(Pledge::default(), Pledge::and);
                Ok((CreateReport::new(instances, shortfall), pledge))
            }
        }
    }

    fn plan(&self, spec: &InstanceSpec, count: Count, options: &CreateOptions) -> Result<Plan> {
        self.check_labels(&spec.labels)?;
        check_user_data(spec.user_data.as_ref(), self.capabilities.limits.user_data_bytes)?;
        if spec.placement.group.is_some() {
            return Err(Error::new(ErrorKind::Unsupported).with_message("placement groups"));
        }
        let zone = spec.placement.zone.as_deref().unwrap_or(ZONES[0]);
        if !ZONES.contains(&zone) {
            return Err(Error::invalid(format!("there is no zone {zone:?}, only {ZONES:?}")));
        }
        let names = (0..count.max()).map(|index| name_of(&spec.name, count, index));
        names.collect::<Result<Vec<_>>>()?;
        Ok(Plan {
            instance_type: types::resolve(&spec.hardware)?.name,
            image: image::resolve(&self.images(), &spec.image, types::ARCH)?.id,
            zone: zone.to_owned(),
            fingerprint: fingerprint(spec, count, options)?,
            spec: spec.clone(),
            options: options.clone(),
            count,
        })
    }

    /// # Errors
    /// `InvalidArgument` above the number that the capabilities declare.
    pub(super) fn check_labels(&self, labels: &Labels) -> Result<()> {
        match self.capabilities.limits.labels {
            Some(most) if labels.len() > count_of(most) => {
                Err(Error::invalid(format!("an instance has at most {most} labels")))
            }
            _ => Ok(()),
        }
    }

    fn create_one(&self, plan: &Plan, index: u32, taken: &mut Taken) -> Result<Record> {
        let name = name_of(&plan.spec.name, plan.count, index)?;
        if taken.names.contains(&name) {
            return Err(Error::new(ErrorKind::AlreadyExists)
                .with_message(format!("there is an instance {name} already")));
        }
        if taken.living >= count_of(self.capacity) {
            return Err(Error::new(ErrorKind::NoCapacity)
                .with_radius(BlastRadius::Region)
                .with_message(format!("{} instances live here already", taken.living)));
        }
        let address = ids::draw_address(&*self.random, &taken.addresses).ok_or_else(|| {
            Error::new(ErrorKind::NoCapacity)
                .with_radius(BlastRadius::Region)
                .with_message("no address is free")
        })?;
        let record = Record {
            format: Record::FORMAT,
            id: ids::draw(&*self.random),
            name: name.clone(),
            owner: plan.options.owner.clone(),
            token: plan.options.token.clone(),
            fingerprint: plan.fingerprint.clone(),
            index,
            instance_type: plan.instance_type.clone(),
            image: plan.image.clone(),
            zone: plan.zone.clone(),
            address,
            public: plan.spec.public_ip,
            labels: plan.spec.labels.clone(),
            created: self.clock.now(),
            phase: Phase::Provisioning,
            reason: None,
            revision: 0,
            boots: 1,
            runner: None,
        };
        let dir = InstanceDir::new(&self.instances(), &record.id);
        let user_data = plan.spec.user_data.as_ref().map(UserData::as_bytes);
        if let Err(error) = dir.create(&record, user_data) {
            return Err(self.undo(&[dir], error));
        }
        taken.names.insert(name);
        taken.addresses.insert(address);
        taken.living += 1;
        Ok(record)
    }

    /// Removes instances again. What cannot be removed is named in the error.
    fn undo(&self, made: &[InstanceDir], error: Error) -> Error {
        let mut leaked = Vec::new();
        for dir in made {
            let removed = self.terminate_and_wait(dir).and_then(|()| dir.remove());
            if let (Err(_), Ok(id)) = (removed, ids::instance_id(dir.id())) {
                leaked.push(ResourceRef::new("instance", id.to_string()));
            }
        }
        error.with_leaked(leaked)
    }
}

impl Plan {
    /// The instances that an earlier create with the same token made.
    ///
    /// # Errors
    /// `IdempotencyMismatch` if that create asked for something else.
    fn earlier<'a>(&self, records: &'a [Record]) -> Result<Vec<&'a Record>> {
        if self.options.token.is_none() {
            return Ok(Vec::new());
        }
        let of_token = |record: &&Record| {
            record.token == self.options.token && record.phase != Phase::Terminating
        };
        let earlier: Vec<_> = records.iter().filter(of_token).collect();
        if earlier.iter().any(|record| record.fingerprint != self.fingerprint) {
            return Err(Error::new(ErrorKind::IdempotencyMismatch));
        }
        Ok(earlier)
    }
}

impl Taken {
    /// Who is being terminated keeps its address until it is gone, but not its name and place.
    fn of(records: &[Record]) -> Self {
        let living = || records.iter().filter(|record| record.phase != Phase::Terminating);
        Self {
            names: living().map(|record| record.name.clone()).collect(),
            addresses: records.iter().map(|record| record.address).collect(),
            living: living().count(),
        }
    }
}

fn name_of(name: &InstanceName, count: Count, index: u32) -> Result<InstanceName> {
    if count.max() == 1 {
        return Ok(name.clone());
    }
    InstanceName::new(format!("{name}-{index}"))
}

fn check_user_data(data: Option<&UserData>, most: Option<u64>) -> Result<()> {
    let Some(data) = data.map(UserData::as_bytes) else { return Ok(()) };
    if let Some(most) = most
        && data.len() as u64 > most
    {
        return Err(Error::invalid(format!(
            "user data has at most {most} bytes, not {}",
            data.len()
        )));
    }
    if data.starts_with(b"#!") {
        return Ok(());
    }
    Err(Error::invalid(
        "the user data of a local instance is a script that begins with #! and the path of its \
         interpreter; cloud-init is not there to read anything else",
    ))
}

/// Everything in a create that a repetition has to have in common with it.
#[derive(Serialize)]
struct Request<'a> {
    name: &'a InstanceName,
    hardware: HardwareRequest<'a>,
    image: String,
    zone: Option<&'a str>,
    public_ip: bool,
    labels: &'a Labels,
    user_data: Option<&'a [u8]>,
    owner: Option<&'a str>,
    min: u32,
    max: u32,
}

#[derive(Serialize)]
enum HardwareRequest<'a> {
    Type(&'a str),
    Needs(String),
}

fn fingerprint(spec: &InstanceSpec, count: Count, options: &CreateOptions) -> Result<String> {
    let request = Request {
        name: &spec.name,
        hardware: match &spec.hardware {
            Hardware::Type(name) => HardwareRequest::Type(name),
            other => HardwareRequest::Needs(format!("{other:?}")),
        },
        image: format!("{:?}", spec.image),
        zone: spec.placement.zone.as_deref(),
        public_ip: spec.public_ip,
        labels: &spec.labels,
        user_data: spec.user_data.as_ref().map(UserData::as_bytes),
        owner: options.owner.as_ref().map(polycloud_core::compute::Owner::as_str),
        min: count.min(),
        max: count.max(),
    };
    let json = serde_json::to_vec(&request).map_err(|error| broken(error.to_string()))?;
    Ok(ChecksumAlgorithm::Sha256.of(&json).to_string())
}

fn count_of(n: u32) -> usize {
    usize::try_from(n).unwrap_or(usize::MAX)
}
