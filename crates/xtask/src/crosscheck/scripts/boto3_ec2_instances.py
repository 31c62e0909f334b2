"""boto3: instances from their start to their end, and botocore's waiters."""

import base64
import datetime
import time

from botocore.exceptions import WaiterError

import ec2 as the
from checks import check, equal, that
from ec2 import ec2, end, look, refused, run, start, state, wait, would_succeed

LIFE = ["pending", "running", "shutting-down", "terminated", "stopping", "stopped"]
CODES = dict(zip(LIFE, (0, 16, 32, 48, 64, 80)))


def changes(answer, key):
    """States before and after, of an answer that tells of one instance."""
    change = the.one(answer[key])
    for of in ("PreviousState", "CurrentState"):
        equal(change[of]["Code"], CODES[change[of]["Name"]], f"code of {of}")
    return change["PreviousState"]["Name"], change["CurrentState"]["Name"]


@check
def instances_begin_as_pending():
    answer = ec2.run_instances(
        ImageId=the.image(), InstanceType=the.TYPE, MinCount=1, MaxCount=1
    )
    that(answer["ReservationId"].startswith("r-"), f"ReservationId {answer['ReservationId']}")
    that(len(answer["OwnerId"]) == 12, f"OwnerId {answer['OwnerId']}")
    instance = the.one(answer["Instances"])
    that(instance["InstanceId"].startswith("i-"), f"InstanceId {instance['InstanceId']}")
    equal(instance["State"], {"Code": 0, "Name": "pending"}, "State")
    equal((instance["ImageId"], instance["InstanceType"]), (the.image(), the.TYPE), "what it is")
    equal(instance["AmiLaunchIndex"], 0, "AmiLaunchIndex")
    age = datetime.datetime.now(datetime.timezone.utc) - instance["LaunchTime"]
    that(abs(age.total_seconds()) < 60, f"launched {age} ago")
    that(instance["SubnetId"] in [subnet["SubnetId"] for subnet in the.subnets().values()], "subnet")
    equal(instance["VpcId"], the.default_vpc()["VpcId"], "VpcId")
    end(instance["InstanceId"])


@check
def running_instances_have_addresses_and_disks():
    instance = start()
    seen = look(instance)
    equal(seen["State"], {"Code": 16, "Name": "running"}, "State")
    for name in ("PublicIpAddress", "PrivateIpAddress", "PrivateDnsName", "PublicDnsName"):
        that(seen.get(name), f"no {name}")
    equal(seen["Architecture"], "x86_64", "Architecture")
    zone = seen["Placement"]["AvailabilityZone"]
    equal(the.subnets()[zone]["SubnetId"], seen["SubnetId"], "subnet of the zone")
    interface = the.one(seen["NetworkInterfaces"], "interface")
    equal(interface["PrivateIpAddress"], seen["PrivateIpAddress"], "address of the interface")
    equal(interface["Association"]["PublicIp"], seen["PublicIpAddress"], "its public address")
    equal(interface["Status"], "in-use", "status of the interface")
    equal([group["GroupId"] for group in seen["SecurityGroups"]], [the.default_group()], "groups")
    device = the.one(seen["BlockDeviceMappings"], "device")
    equal(device["DeviceName"], seen["RootDeviceName"], "root device")
    volume = the.one(ec2.describe_volumes(VolumeIds=[device["Ebs"]["VolumeId"]])["Volumes"])
    equal(volume["State"], "in-use", "state of the volume")
    attachment = the.one(volume["Attachments"], "attachment")
    equal(attachment["InstanceId"], instance, "attached to")
    that(attachment["DeleteOnTermination"], "the root volume stays")
    end(instance)


@check
def stopping_and_starting():
    instance = start()
    before = look(instance)
    answer = ec2.stop_instances(InstanceIds=[instance])
    equal(changes(answer, "StoppingInstances"), ("running", "stopping"), "stop")
    wait("instance_stopped", instance)
    stopped = look(instance)
    equal(stopped["State"], {"Code": 80, "Name": "stopped"}, "State")
    that("PublicIpAddress" not in stopped, "a stopped instance has a public address")
    equal(stopped["PrivateIpAddress"], before["PrivateIpAddress"], "private address")
    equal(stopped["StateReason"]["Code"], "Client.UserInitiatedShutdown", "reason")
    that(stopped["StateTransitionReason"].startswith("User initiated"), "why it is stopped")
    answer = ec2.stop_instances(InstanceIds=[instance])
    equal(changes(answer, "StoppingInstances"), ("stopped", "stopped"), "stop of a stopped one")
    answer = ec2.start_instances(InstanceIds=[instance])
    equal(changes(answer, "StartingInstances"), ("stopped", "pending"), "start")
    wait("instance_running", instance)
    again = look(instance)
    that(again.get("PublicIpAddress"), "no public address")
    equal(again["PrivateIpAddress"], before["PrivateIpAddress"], "private address")
    that(again["LaunchTime"] >= before["LaunchTime"], "launched before it was")
    answer = ec2.start_instances(InstanceIds=[instance])
    equal(changes(answer, "StartingInstances"), ("running", "running"), "start of a running one")
    end(instance)


@check
def terminating():
    instance = start()
    volume = the.one(look(instance)["BlockDeviceMappings"])["Ebs"]["VolumeId"]
    answer = ec2.terminate_instances(InstanceIds=[instance])
    equal(changes(answer, "TerminatingInstances"), ("running", "shutting-down"), "terminate")
    wait("instance_terminated", instance)
    seen = look(instance)
    equal(seen["State"], {"Code": 48, "Name": "terminated"}, "State")
    that("PublicIpAddress" not in seen, "a terminated instance has an address")
    answer = ec2.terminate_instances(InstanceIds=[instance])
    equal(changes(answer, "TerminatingInstances"), ("terminated", "terminated"), "once more")
    the.eventually(
        "the end of its volume",
        lambda: not ec2.describe_volumes(Filters=the.by(volume_id=volume))["Volumes"],
    )
    refused("IncorrectInstanceState", ec2.start_instances, InstanceIds=[instance])
    refused("IncorrectInstanceState", ec2.stop_instances, InstanceIds=[instance])


@check
def stopped_instances_can_be_terminated():
    instance = start()
    ec2.stop_instances(InstanceIds=[instance])
    wait("instance_stopped", instance)
    answer = ec2.terminate_instances(InstanceIds=[instance])
    before, after = changes(answer, "TerminatingInstances")
    equal(before, "stopped", "before")
    that(after in ("shutting-down", "terminated"), f"after: {after}")
    wait("instance_terminated", instance)


@check
def rebooting_changes_no_state():
    instance = start()
    before = look(instance)
    ec2.reboot_instances(InstanceIds=[instance])
    seen = look(instance)
    equal(seen["State"]["Name"], "running", "State")
    equal(seen["PublicIpAddress"], before["PublicIpAddress"], "address")
    ec2.stop_instances(InstanceIds=[instance])
    codes = ("IncorrectState", "IncorrectInstanceState")
    refused(codes, ec2.reboot_instances, InstanceIds=[instance])
    end(instance)


@check
def several_at_once():
    answer = ec2.run_instances(
        ImageId=the.image(), InstanceType=the.TYPE, MinCount=3, MaxCount=3
    )
    instances = [instance["InstanceId"] for instance in answer["Instances"]]
    equal(len(set(instances)), 3, "ids")
    equal([instance["AmiLaunchIndex"] for instance in answer["Instances"]], [0, 1, 2], "indices")
    wait("instance_running", *instances)
    by_reservation = ec2.describe_instances(
        Filters=the.by(reservation_id=answer["ReservationId"])
    )["Reservations"]
    listed = the.one(by_reservation, "reservation")["Instances"]
    equal({it["InstanceId"] for it in listed}, set(instances), "of the reservation")
    ec2.stop_instances(InstanceIds=instances)
    wait("instance_stopped", *instances)
    end(*instances)


@check
def waiters_wait_for_those_that_are_not_seen_yet():
    instance = run()[0]["InstanceId"]
    wait("instance_exists", instance)
    wait("instance_running", instance)
    end(instance)


@check
def waiters_give_up_where_it_cannot_be():
    instance = start()
    ec2.terminate_instances(InstanceIds=[instance])
    try:
        wait("instance_running", instance)
    except WaiterError as error:
        that("terminal failure" in str(error), f"gave up because of {error}")
    else:
        raise AssertionError("it runs")


@check
def status_checks_pass():
    instance = start()
    wait("instance_status_ok", instance)
    status = the.one(ec2.describe_instance_status(InstanceIds=[instance])["InstanceStatuses"])
    equal(status["InstanceState"]["Name"], "running", "state")
    equal(status["InstanceStatus"]["Status"], "ok", "instance status")
    equal(status["SystemStatus"]["Status"], "ok", "system status")
    ec2.stop_instances(InstanceIds=[instance])
    wait("instance_stopped", instance)
    listed = ec2.describe_instance_status(InstanceIds=[instance])["InstanceStatuses"]
    equal(listed, [], "status of a stopped one")
    everything = ec2.describe_instance_status(InstanceIds=[instance], IncludeAllInstances=True)
    status = the.one(everything["InstanceStatuses"])
    equal(status["InstanceState"]["Name"], "stopped", "state of a stopped one")
    end(instance)


@check
def consoles_have_output():
    instance = start()
    answer = ec2.get_console_output(InstanceId=instance)
    equal(answer["InstanceId"], instance, "InstanceId")
    that(isinstance(answer.get("Output", ""), str), "Output")
    that("Timestamp" in answer, "no Timestamp")
    end(instance)


@check
def user_data_is_kept():
    text = "#!/bin/sh\necho hellö > /tmp/hello\n"
    instance = start(UserData=text)
    answer = ec2.describe_instance_attribute(InstanceId=instance, Attribute="userData")
    value = answer["UserData"]["Value"]
    equal(base64.b64decode(value).decode(), text, "user data")
    refused(
        "IncorrectInstanceState",
        ec2.modify_instance_attribute,
        InstanceId=instance,
        UserData={"Value": b"other"},
    )
    end(instance)


@check
def types_are_changed_when_stopped():
    instance = start()
    refused(
        "IncorrectInstanceState",
        ec2.modify_instance_attribute,
        InstanceId=instance,
        InstanceType={"Value": "m5.large"},
    )
    ec2.stop_instances(InstanceIds=[instance])
    wait("instance_stopped", instance)
    ec2.modify_instance_attribute(InstanceId=instance, InstanceType={"Value": "m5.large"})
    equal(look(instance)["InstanceType"], "m5.large", "InstanceType")
    answer = ec2.describe_instance_attribute(InstanceId=instance, Attribute="instanceType")
    equal(answer["InstanceType"], {"Value": "m5.large"}, "attribute")
    end(instance)


@check
def protected_instances_stay():
    instance = start(DisableApiTermination=True)
    refused("OperationNotPermitted", ec2.terminate_instances, InstanceIds=[instance])
    equal(state(instance), "running", "State")
    ec2.modify_instance_attribute(InstanceId=instance, DisableApiTermination={"Value": False})
    end(instance)


@check
def dry_runs_change_nothing():
    before = the.found()
    would_succeed(
        ec2.run_instances, ImageId=the.image(), InstanceType=the.TYPE, MinCount=1, MaxCount=1
    )
    equal(the.found(), before, "instances")
    instance = start()
    would_succeed(ec2.stop_instances, InstanceIds=[instance])
    would_succeed(ec2.terminate_instances, InstanceIds=[instance])
    would_succeed(ec2.describe_instances)
    equal(state(instance), "running", "State")
    end(instance)


@check
def unknown_instances():
    missing = "i-0123456789abcdef0"
    for call in (
        ec2.describe_instances,
        ec2.start_instances,
        ec2.stop_instances,
        ec2.reboot_instances,
        ec2.terminate_instances,
    ):
        refused("InvalidInstanceID.NotFound", call, InstanceIds=[missing])
        refused("InvalidInstanceID.Malformed", call, InstanceIds=["instance"])
    equal(the.found(Filters=the.by(instance_id=missing)), [], "by filter")


@check
def one_unknown_instance_stops_all_of_a_request():
    instance = start()
    both = [instance, "i-0123456789abcdef0"]
    error = refused("InvalidInstanceID.NotFound", ec2.terminate_instances, InstanceIds=both)
    that("i-0123456789abcdef0" in error["Error"]["Message"], error["Error"]["Message"])
    equal(state(instance), "running", "State")
    end(instance)


@check
def resources_of_boto3():
    made = the.resource()
    (instance,) = made.create_instances(
        ImageId=the.image(), InstanceType=the.TYPE, MinCount=1, MaxCount=1
    )
    wait("instance_running", instance.id)
    instance.load()
    equal(instance.state["Name"], "running", "state")
    that(instance.public_ip_address, "no address")
    equal([volume.state for volume in instance.volumes.all()], ["in-use"], "volumes")
    equal(instance.vpc.is_default, True, "its VPC")
    equal(instance.subnet.availability_zone, instance.placement["AvailabilityZone"], "subnet")
    instance.create_tags(Tags=the.tags(Name="resource"))
    instance.reload()
    equal(the.as_dict(instance.tags), {"Name": "resource"}, "tags")
    alive = made.instances.filter(Filters=the.by(instance_state_name="running"))
    that(instance.id in [it.id for it in alive], "not among those that run")
    that(isinstance(instance.console_output(), dict), "console")
    instance.stop()
    wait("instance_stopped", instance.id)
    instance.start()
    wait("instance_running", instance.id)
    instance.reboot()
    instance.terminate()
    wait("instance_terminated", instance.id)


@check
def hibernation_has_to_be_configured():
    instance = start()
    refused(
        "UnsupportedHibernationConfiguration",
        ec2.stop_instances,
        InstanceIds=[instance],
        Hibernate=True,
    )
    equal(state(instance), "running", "State")
    end(instance)


@check
def transitions_take_their_time():
    instance = run()[0]["InstanceId"]
    the.eventually("it", lambda: state(instance) in ("pending", "running"))
    wait("instance_running", instance)
    ec2.stop_instances(InstanceIds=[instance])
    seen = [state(instance)]
    for _ in range(200):
        if seen[-1] == "stopped":
            break
        time.sleep(0.05)
        if (now := state(instance)) != seen[-1]:
            seen.append(now)
    equal(seen, ["stopping", "stopped"], "states on the way")
    refused_while = ec2.start_instances(InstanceIds=[instance])
    equal(changes(refused_while, "StartingInstances")[1], "pending", "started")
    end(instance)


if __name__ == "__main__":
    the.main()
