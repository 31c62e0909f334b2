//! Snapshots of volumes.

use std::time::SystemTime;

use super::call::{Actions, Call};
use super::error::{Ec2Error, Result};
use super::paging::page;
use super::select::{ids_or_pages, select, truth};
use super::state::tags::{TagMap, check_kinds, specified};
use super::state::{Event, Region};
use super::time;
use super::volumes::Volume;
use super::xml::Xml;

pub(crate) const ACTIONS: Actions = &[
    ("CreateSnapshot", create_snapshot),
    ("DescribeSnapshots", describe_snapshots),
    ("DeleteSnapshot", delete_snapshot),
];

/// A snapshot.
#[derive(Debug, Clone)]
pub(crate) struct Snapshot {
    pub(crate) id: String,
    pub(crate) volume: String,
    pub(crate) size_gib: u32,
    pub(crate) started: SystemTime,
    pub(crate) completed: bool,
    pub(crate) description: String,
    pub(crate) encrypted: bool,
}

impl Snapshot {
    fn status(&self) -> &'static str {
        if self.completed { "completed" } else { "pending" }
    }

    fn progress(&self) -> &'static str {
        if self.completed { "100%" } else { "0%" }
    }
}

/// What happens to a snapshot at its time.
pub(crate) fn settle(region: &mut Region, id: &str, _due: SystemTime) {
    if let Some(snapshot) = region.snapshots.get_mut(id) {
        snapshot.completed = true;
    }
}

/// There is no such snapshot.
pub(super) fn missing(id: &str) -> Ec2Error {
    if !id.starts_with("snap-") {
        let message =
            format!("Value ({id}) for parameter snapshotId is invalid. Expected: 'snap-...'.");
        return Ec2Error::new("InvalidParameterValue", message);
    }
    Ec2Error::new("InvalidSnapshot.NotFound", format!("The snapshot '{id}' does not exist."))
}

fn create_snapshot(region: &mut Region, call: &Call<'_>) -> Result<Xml> {
    let volume = call.params.need("VolumeId")?;
    check_kinds(call, &["snapshot"])?;
    let tags = specified(call, "snapshot")?;
    let source = region.volumes.get(volume).ok_or_else(|| super::volumes::missing(volume))?;
    if matches!(source.state, "creating" | "deleting") {
        let message = format!("The volume '{volume}' is not 'available'.");
        return Err(Ec2Error::new("IncorrectState", message));
    }
    let source = source.clone();
    call.dry_run()?;
    let about = call.params.text("Description").unwrap_or_default();
    let id = take(region, call, &source, about, &tags)?;
    let mut xml = Xml::new();
    if let Some(snapshot) = region.snapshots.get(&id) {
        write(&mut xml, region, snapshot);
    }
    Ok(xml)
}

/// Begins a snapshot of a volume and tells its id.
pub(super) fn take(
    region: &mut Region,
    call: &Call<'_>,
    volume: &Volume,
    about: &str,
    tags: &TagMap,
) -> Result<String> {
    let id = region.new_id("snap");
    region.tags.add(&id, tags)?;
    let snapshot = Snapshot {
        id: id.clone(),
        volume: volume.id.clone(),
        size_gib: volume.size_gib,
        started: call.now,
        completed: false,
        description: about.to_owned(),
        encrypted: volume.encrypted,
    };
    region.snapshots.insert(id.clone(), snapshot);
    region.created(&id, call);
    region.events.at(call.after(call.settings.timings.snapshot), Event::Snapshot(id.clone()));
    Ok(id)
}

fn delete_snapshot(region: &mut Region, call: &Call<'_>) -> Result<Xml> {
    let id = call.params.need("SnapshotId")?;
    if !region.snapshots.contains_key(id) {
        return Err(missing(id));
    }
    if let Some(image) = region.images.values().find(|image| image.uses(id)) {
        let message = format!("The snapshot {id} is currently in use by {}", image.id);
        return Err(Ec2Error::new("InvalidSnapshot.InUse", message));
    }
    call.dry_run()?;
    region.snapshots.remove(id);
    region.tags.forget(id);
    Ok(Xml::success())
}

const FILTERS: [&str; 10] = [
    "description",
    "encrypted",
    "owner-id",
    "progress",
    "snapshot-id",
    "start-time",
    "status",
    "storage-tier",
    "volume-id",
    "volume-size",
];

fn describe_snapshots(region: &mut Region, call: &Call<'_>) -> Result<Xml> {
    let ids = call.params.list("SnapshotId");
    let owners = call.params.list("Owner");
    let restorable_by = call.params.list("RestorableBy");
    ids_or_pages(call, "SnapshotId")?;
    let filters = call.filters(&FILTERS)?;
    let mut snapshots = select(region, call, &region.snapshots, &ids, missing)?;
    call.dry_run()?;
    // All snapshots here are the account's own.
    let is_own = |who: &&str| *who == "self" || *who == region.account;
    if [&owners, &restorable_by].iter().any(|who| !who.is_empty() && !who.iter().any(is_own)) {
        snapshots.clear();
    }
    snapshots.retain(|snapshot| {
        let text = |text: &str| vec![text.to_owned()];
        filters.pass(region.tags.of(&snapshot.id), |field| match field {
            "description" => text(&snapshot.description),
            "encrypted" => truth(snapshot.encrypted),
            "owner-id" => text(&region.account),
            "progress" => text(snapshot.progress()),
            "snapshot-id" => text(&snapshot.id),
            "start-time" => vec![time::text(snapshot.started)],
            "status" => text(snapshot.status()),
            "storage-tier" => text("standard"),
            "volume-id" => text(&snapshot.volume),
            _ => vec![snapshot.size_gib.to_string()],
        })
    });
    let page = page(call, snapshots, |snapshot| snapshot.id.clone(), 5..=1000)?;
    let mut xml = Xml::new();
    xml.list("snapshotSet", &page.items, |xml, snapshot| write(xml, region, snapshot));
    page.write_next(&mut xml);
    Ok(xml)
}

fn write(xml: &mut Xml, region: &Region, snapshot: &Snapshot) {
    xml.text("snapshotId", &snapshot.id)
        .text("volumeId", &snapshot.volume)
        .text("status", snapshot.status())
        .time("startTime", snapshot.started)
        .text("progress", snapshot.progress())
        .text("ownerId", &region.account)
        .value("volumeSize", snapshot.size_gib)
        .text("description", &snapshot.description)
        .value("encrypted", snapshot.encrypted)
        .text("storageTier", "standard");
    region.tags.write(xml, &snapshot.id);
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ec2::call::testing::TestCall;
    use crate::ec2::images::ImageDisk;

    /// A region with an available volume.
    fn region() -> (Region, String) {
        let mut region = Region::new("us-east-1", "111122223333");
        TestCall::new("CreateVolume")
            .with("AvailabilityZone", "us-east-1a")
            .with("Size", "20")
            .run(&mut region)
            .unwrap();
        let volume = region.volumes.keys().next().unwrap().clone();
        (region, volume)
    }

    fn take(region: &mut Region, volume: &str) -> Result<String> {
        let test = TestCall::new("CreateSnapshot")
            .with("VolumeId", volume)
            .with("Description", "nightly")
            .with("TagSpecification.1.ResourceType", "snapshot")
            .with("TagSpecification.1.Tag.1.Key", "Name")
            .with("TagSpecification.1.Tag.1.Value", "n");
        test.at(10).run(region).map(|xml| xml.to_string())
    }

    fn describe(region: &mut Region, pairs: &[(&str, &str)], at: u64) -> Result<String> {
        let mut test = TestCall::new("DescribeSnapshots").at(at);
        for (name, value) in pairs {
            test = test.with(name, value);
        }
        test.run(region).map(|xml| xml.to_string())
    }

    #[test]
    fn snapshots_complete_in_time() {
        let (mut region, volume) = region();
        let xml = take(&mut region, &volume).unwrap();
        assert!(
            xml.contains("<status>pending</status>") && xml.contains("<volumeSize>20<"),
            "{xml}"
        );
        assert!(xml.contains("<tagSet><item><key>Name</key><value>n</value></item></tagSet>"));
        let id = region.snapshots.keys().next().unwrap().clone();
        let before = describe(&mut region, &[("SnapshotId.1", &id)], 19).unwrap();
        assert!(before.contains("<progress>0%</progress>"), "{before}");
        let after = describe(&mut region, &[("SnapshotId.1", &id)], 20).unwrap();
        assert!(after.contains("<status>completed</status>"), "{after}");
    }

    #[test]
    fn owners_and_filters() {
        let (mut region, volume) = region();
        take(&mut region, &volume).unwrap();
        let count = |region: &mut Region, pairs: &[(&str, &str)]| {
            describe(region, pairs, 30).unwrap().matches("<snapshotId>").count()
        };
        assert_eq!(count(&mut region, &[]), 1);
        assert_eq!(count(&mut region, &[("Owner.1", "self")]), 1);
        assert_eq!(count(&mut region, &[("Owner.1", "amazon")]), 0);
        for (field, yes, no) in [
            ("description", "night*", "day*"),
            ("encrypted", "false", "true"),
            ("owner-id", "111122223333", "1"),
            ("progress", "100%", "0%"),
            ("snapshot-id", "snap-*", "x"),
            ("status", "completed", "pending"),
            ("start-time", "2013-05-24T*", "2014*"),
            ("storage-tier", "standard", "archive"),
            ("volume-id", &volume, "x"),
            ("volume-size", "20", "8"),
            ("tag:Name", "n", "m"),
        ] {
            for (pattern, expected) in [(yes, 1), (no, 0)] {
                let pairs = [("Filter.1.Name", field), ("Filter.1.Value.1", pattern)];
                assert_eq!(count(&mut region, &pairs), expected, "{field} {pattern}");
            }
        }
    }

    #[test]
    fn what_is_refused() {
        let (mut region, volume) = region();
        let code = |result: Result<String>| result.unwrap_err().code.into_owned();
        assert_eq!(code(take(&mut region, "vol-1")), "InvalidVolume.NotFound");
        let missing = describe(&mut region, &[("SnapshotId.1", "snap-1")], 0);
        assert_eq!(code(missing), "InvalidSnapshot.NotFound");
        take(&mut region, &volume).unwrap();
        let id = region.snapshots.keys().next().unwrap().clone();
        let both = describe(&mut region, &[("SnapshotId.1", &id), ("MaxResults", "5")], 0);
        assert_eq!(code(both), "InvalidParameterCombination");
        let early = TestCall::new("CreateVolume")
            .with("AvailabilityZone", "us-east-1a")
            .with("SnapshotId", &id)
            .at(11)
            .run(&mut region);
        assert_eq!(early.unwrap_err().code, "IncorrectState");
    }

    #[test]
    fn snapshots_of_images_stay() {
        let (mut region, volume) = region();
        take(&mut region, &volume).unwrap();
        let id = region.snapshots.keys().next().unwrap().clone();
        let image = region.images.values_mut().next().unwrap();
        let device = "/dev/sdf".to_owned();
        let (snapshot, kind) = (id.clone(), "gp3".to_owned());
        let disk = ImageDisk { device, snapshot, size_gib: 20, kind, delete_on_termination: true };
        image.further_disks.push(disk);
        let delete = TestCall::new("DeleteSnapshot").with("SnapshotId", &id);
        assert_eq!(delete.run(&mut region).unwrap_err().code, "InvalidSnapshot.InUse");
        region.images.clear();
        let dry = delete.clone().with("DryRun", "true");
        assert_eq!(dry.run(&mut region).unwrap_err().code, "DryRunOperation");
        delete.run(&mut region).unwrap();
        assert_eq!(delete.run(&mut region).unwrap_err().code, "InvalidSnapshot.NotFound");
    }
}
