"""boto3: volumes, snapshots and images."""

import ec2 as the
from checks import check, equal, that
from ec2 import as_dict, by, ec2, end, look, refused, start, wait, would_succeed


def volume(**arguments):
    """A new volume that is available."""
    arguments = {"AvailabilityZone": the.zone(), "Size": 4, **arguments}
    made = ec2.create_volume(**arguments)["VolumeId"]
    wait("volume_available", VolumeIds=[made])
    return made


def described(volume_id):
    return the.one(ec2.describe_volumes(VolumeIds=[volume_id])["Volumes"])


@check
def volumes_are_made_and_deleted():
    made = ec2.create_volume(
        AvailabilityZone=the.zone(),
        Size=10,
        VolumeType="gp3",
        Iops=4000,
        Throughput=250,
        TagSpecifications=the.tagged("volume", Name="made"),
    )
    equal((made["State"], made["Size"], made["VolumeType"]), ("creating", 10, "gp3"), "volume")
    wait("volume_available", VolumeIds=[made["VolumeId"]])
    seen = described(made["VolumeId"])
    equal((seen["Iops"], seen["Throughput"], seen["Encrypted"]), (4000, 250, False), "performance")
    equal((seen["AvailabilityZone"], seen["Attachments"]), (the.zone(), []), "where it is")
    equal(as_dict(seen["Tags"]), {"Name": "made"}, "tags")
    ec2.delete_volume(VolumeId=made["VolumeId"])
    wait("volume_deleted", VolumeIds=[made["VolumeId"]])
    refused("InvalidVolume.NotFound", ec2.delete_volume, VolumeId=made["VolumeId"])


@check
def volumes_are_checked():
    zone = the.zone()
    for wrong in (
        {"AvailabilityZone": "us-east-1zz", "Size": 1},
        {"AvailabilityZone": zone, "Size": 0},
        {"AvailabilityZone": zone, "Size": 1, "VolumeType": "gp3", "Iops": 1},
        {"AvailabilityZone": zone, "Size": 100_000, "VolumeType": "gp2"},
    ):
        codes = ("InvalidParameterValue", "InvalidZone.NotFound", "InvalidParameterCombination")
        refused(codes, ec2.create_volume, **wrong)
    refused("InvalidSnapshot.NotFound", ec2.create_volume, AvailabilityZone=zone, SnapshotId="snap-0123456789abcdef0")
    refused("MissingParameter", ec2.create_volume, AvailabilityZone=zone)
    would_succeed(ec2.create_volume, AvailabilityZone=zone, Size=1)


@check
def a_token_makes_one_volume():
    token = the.unique("volume")
    arguments = {"AvailabilityZone": the.zone(), "Size": 1, "ClientToken": token}
    first, second = ec2.create_volume(**arguments), ec2.create_volume(**arguments)
    equal(second["VolumeId"], first["VolumeId"], "volume")
    refused("IdempotentParameterMismatch", ec2.create_volume, **{**arguments, "Size": 2})
    wait("volume_available", VolumeIds=[first["VolumeId"]])
    ec2.delete_volume(VolumeId=first["VolumeId"])


@check
def volumes_are_attached_and_detached():
    zone = the.zone()
    instance = start(Placement={"AvailabilityZone": zone})
    made = volume(AvailabilityZone=zone)
    answer = ec2.attach_volume(VolumeId=made, InstanceId=instance, Device="/dev/sdf")
    equal((answer["State"], answer["Device"]), ("attaching", "/dev/sdf"), "attachment")
    wait("volume_in_use", VolumeIds=[made])

    def attachment():
        return the.one(described(made)["Attachments"])

    the.eventually("attached", lambda: attachment()["State"] == "attached")
    equal(attachment()["DeleteOnTermination"], False, "DeleteOnTermination")
    devices = [mapping["DeviceName"] for mapping in look(instance)["BlockDeviceMappings"]]
    that("/dev/sdf" in devices, f"devices {devices}")
    again = {"VolumeId": made, "InstanceId": instance, "Device": "/dev/sdg"}
    refused("VolumeInUse", ec2.attach_volume, **again)
    refused("VolumeInUse", ec2.delete_volume, VolumeId=made)
    other = volume(AvailabilityZone=zone)
    taken = {"VolumeId": other, "InstanceId": instance, "Device": "/dev/sdf"}
    refused("InvalidParameterValue", ec2.attach_volume, **taken)
    answer = ec2.detach_volume(VolumeId=made)
    equal(answer["State"], "detaching", "detaching")
    wait("volume_available", VolumeIds=[made])
    refused("IncorrectState", ec2.detach_volume, VolumeId=made)
    for it in (made, other):
        ec2.delete_volume(VolumeId=it)
    end(instance)


@check
def volumes_are_attached_in_their_zone():
    zones = sorted(the.subnets())
    instance = start(Placement={"AvailabilityZone": zones[0]})
    made = volume(AvailabilityZone=zones[1])
    arguments = {"VolumeId": made, "InstanceId": instance, "Device": "/dev/sdf"}
    refused("InvalidVolume.ZoneMismatch", ec2.attach_volume, **arguments)
    missing = {**arguments, "VolumeId": "vol-0123456789abcdef0"}
    refused("InvalidVolume.NotFound", ec2.attach_volume, **missing)
    missing = {**arguments, "InstanceId": "i-0123456789abcdef0"}
    refused("InvalidInstanceID.NotFound", ec2.attach_volume, **missing)
    ec2.delete_volume(VolumeId=made)
    end(instance)


@check
def attached_volumes_outlive_the_instance():
    zone = the.zone()
    instance = start(Placement={"AvailabilityZone": zone})
    made = volume(AvailabilityZone=zone)
    ec2.attach_volume(VolumeId=made, InstanceId=instance, Device="/dev/sdf")
    wait("volume_in_use", VolumeIds=[made])
    end(instance)
    wait("volume_available", VolumeIds=[made])
    ec2.delete_volume(VolumeId=made)


@check
def snapshots_are_copies():
    made = volume(Size=3)
    answer = ec2.create_snapshot(
        VolumeId=made, Description="a copy", TagSpecifications=the.tagged("snapshot", Name="s")
    )
    equal((answer["State"], answer["VolumeSize"]), ("pending", 3), "snapshot")
    snapshot = answer["SnapshotId"]
    wait("snapshot_completed", SnapshotIds=[snapshot])
    seen = the.one(ec2.describe_snapshots(SnapshotIds=[snapshot])["Snapshots"])
    equal((seen["State"], seen["Progress"]), ("completed", "100%"), "state")
    equal((seen["VolumeId"], seen["Description"]), (made, "a copy"), "of what")
    equal(as_dict(seen["Tags"]), {"Name": "s"}, "tags")
    own = ec2.describe_snapshots(OwnerIds=["self"])["Snapshots"]
    that(snapshot in [it["SnapshotId"] for it in own], "not among one's own")
    ec2.delete_volume(VolumeId=made)
    copy = volume(Size=5, SnapshotId=snapshot)
    equal((described(copy)["SnapshotId"], described(copy)["Size"]), (snapshot, 5), "volume of it")
    ec2.delete_volume(VolumeId=copy)
    ec2.delete_snapshot(SnapshotId=snapshot)
    refused("InvalidSnapshot.NotFound", ec2.describe_snapshots, SnapshotIds=[snapshot])
    refused("InvalidSnapshot.NotFound", ec2.delete_snapshot, SnapshotId=snapshot)
    missing = "vol-0123456789abcdef0"
    refused("InvalidVolume.NotFound", ec2.create_snapshot, VolumeId=missing)


@check
def volumes_are_listed_in_pages():
    made = [ec2.create_volume(AvailabilityZone=the.zone(), Size=1)["VolumeId"] for _ in range(12)]
    wait("volume_available", VolumeIds=made)
    pages = list(
        ec2.get_paginator("describe_volumes").paginate(
            Filters=by(volume_id=made), PaginationConfig={"PageSize": 5}
        )
    )
    equal([len(page["Volumes"]) for page in pages], [5, 5, 2], "sizes of pages")
    listed = [it["VolumeId"] for page in pages for it in page["Volumes"]]
    equal(sorted(listed), sorted(made), "volumes")
    sizes = ec2.describe_volumes(Filters=by(volume_id=made, size="1", status="available"))["Volumes"]
    equal(len(sizes), 12, "by size and status")
    for it in made:
        ec2.delete_volume(VolumeId=it)


@check
def images_are_made_of_instances():
    instance = start()
    name = the.unique("image")
    made = ec2.create_image(
        InstanceId=instance, Name=name, TagSpecifications=the.tagged("image", Name="i")
    )["ImageId"]
    wait("image_available", ImageIds=[made])
    seen = the.one(ec2.describe_images(ImageIds=[made])["Images"])
    equal((seen["Name"], seen["State"], seen["Public"]), (name, "available", False), "image")
    equal(as_dict(seen["Tags"]), {"Name": "i"}, "tags")
    snapshot = seen["BlockDeviceMappings"][0]["Ebs"]["SnapshotId"]
    own = ec2.describe_images(Owners=["self"])["Images"]
    equal([it["ImageId"] for it in own], [made], "one's own")
    again = {"InstanceId": instance, "Name": name}
    refused("InvalidAMIName.Duplicate", ec2.create_image, **again)
    the.wait("instance_running", instance)
    copy = start(ImageId=made)
    equal(look(copy)["ImageId"], made, "image of an instance")
    refused("InvalidSnapshot.InUse", ec2.delete_snapshot, SnapshotId=snapshot)
    ec2.deregister_image(ImageId=made)
    gone = ("InvalidAMIID.NotFound", "InvalidAMIID.Unavailable")
    refused(gone, ec2.run_instances, ImageId=made, InstanceType=the.TYPE, MinCount=1, MaxCount=1)
    ec2.delete_snapshot(SnapshotId=snapshot)
    end(instance, copy)


@check
def resources_of_boto3():
    made = the.resource().create_volume(AvailabilityZone=the.zone(), Size=2)
    wait("volume_available", VolumeIds=[made.id])
    made.reload()
    equal((made.state, made.size), ("available", 2), "volume")
    snapshot = made.create_snapshot(Description="of a resource")
    snapshot.wait_until_completed()
    equal([it.id for it in made.snapshots.all()], [snapshot.id], "its snapshots")
    snapshot.delete()
    made.delete()


if __name__ == "__main__":
    the.main()
