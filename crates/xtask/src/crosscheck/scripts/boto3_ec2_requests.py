"""boto3: how instances are asked for: tokens, counts, options, spot, and what is refused."""

import datetime

from botocore.exceptions import ClientError

import ec2 as the
from checks import check, equal, that
from ec2 import ec2, end, look, refused, run, start, state, wait


def request(**arguments):
    return {"ImageId": the.image(), "InstanceType": the.TYPE, "MinCount": 1, "MaxCount": 1, **arguments}


@check
def a_token_makes_one_instance():
    token = the.unique("token")
    first = ec2.run_instances(**request(ClientToken=token))
    second = ec2.run_instances(**request(ClientToken=token))
    equal(second["ReservationId"], first["ReservationId"], "reservation")
    one, other = first["Instances"][0], second["Instances"][0]
    equal(other["InstanceId"], one["InstanceId"], "instance")
    equal(one["ClientToken"], token, "ClientToken")
    wait("instance_running", one["InstanceId"])
    equal(look(one["InstanceId"])["ClientToken"], token, "ClientToken when described")
    equal(the.found(Filters=the.by(client_token=token)), [one["InstanceId"]], "by its token")
    end(one["InstanceId"])
    again = ec2.run_instances(**request(ClientToken=token))["Instances"][0]
    equal(again["InstanceId"], one["InstanceId"], "instance, after its end")


@check
def a_token_is_for_one_request():
    token = the.unique("token")
    instance = ec2.run_instances(**request(ClientToken=token))["Instances"][0]["InstanceId"]
    for other in ({"InstanceType": "m5.large"}, {"MaxCount": 2}, {"UserData": "#!/bin/sh"}):
        refused("IdempotentParameterMismatch", ec2.run_instances, **request(ClientToken=token, **other))
    other = ec2.run_instances(**request(ClientToken=token + "x"))["Instances"][0]["InstanceId"]
    that(other != instance, "two tokens made one instance")
    end(instance, other)


@check
def without_a_token_each_request_makes_one():
    unsaid = [run()[0] for _ in range(2)]
    that(unsaid[0]["InstanceId"] != unsaid[1]["InstanceId"], "one instance for both")
    end(*[instance["InstanceId"] for instance in unsaid])


@check
def counts_are_checked():
    validated = the.client(validated=False)
    for counts in ({"MinCount": 2, "MaxCount": 1}, {"MinCount": 0, "MaxCount": 1}):
        refused("InvalidParameterValue", validated.run_instances, **request(**counts))
    answer = ec2.run_instances(**request(MinCount=1, MaxCount=3))
    that(1 <= len(answer["Instances"]) <= 3, f"{len(answer['Instances'])} instances")
    end(*[instance["InstanceId"] for instance in answer["Instances"]])


@check
def images_and_types_have_to_be_there():
    cases = [
        ({"ImageId": "ami-0123456789abcdef0"}, "InvalidAMIID.NotFound"),
        ({"ImageId": "image"}, "InvalidAMIID.Malformed"),
        ({"InstanceType": "z9.nothing"}, ("InvalidParameterValue", "InvalidInstanceType")),
        ({"KeyName": "nobody"}, "InvalidKeyPair.NotFound"),
        ({"SubnetId": "subnet-0123456789abcdef0"}, "InvalidSubnetID.NotFound"),
        ({"SecurityGroupIds": ["sg-0123456789abcdef0"]}, "InvalidGroup.NotFound"),
        ({"Placement": {"AvailabilityZone": "us-east-1zz"}}, "InvalidParameterValue"),
        ({"InstanceType": the.ARM_TYPE}, ("InvalidParameterValue", "Unsupported")),
    ]
    for arguments, code in cases:
        refused(code, ec2.run_instances, **request(**arguments))
    missing = the.client(validated=False)
    refused("MissingParameter", missing.run_instances, MinCount=1, MaxCount=1, InstanceType=the.TYPE)


@check
def user_data_is_limited():
    refused("InvalidParameterValue", ec2.run_instances, **request(UserData="x" * 16385))


@check
def disks_are_as_asked():
    mapping = {
        "DeviceName": ec2.describe_images(ImageIds=[the.image()])["Images"][0]["RootDeviceName"],
        "Ebs": {"VolumeSize": 21, "VolumeType": "gp3", "DeleteOnTermination": True, "Encrypted": True},
    }
    more = {"DeviceName": "/dev/sdf", "Ebs": {"VolumeSize": 5, "DeleteOnTermination": False}}
    instance = start(BlockDeviceMappings=[mapping, more])
    listed = ec2.describe_volumes(Filters=[{"Name": "attachment.instance-id", "Values": [instance]}])
    volumes = {volume["Attachments"][0]["Device"]: volume for volume in listed["Volumes"]}
    equal(sorted(volumes), sorted([mapping["DeviceName"], "/dev/sdf"]), "devices")
    root = volumes[mapping["DeviceName"]]
    equal((root["Size"], root["VolumeType"], root["Encrypted"]), (21, "gp3", True), "root volume")
    equal(volumes["/dev/sdf"]["Size"], 5, "size of the other")
    end(instance)
    left = volumes["/dev/sdf"]["VolumeId"]
    wait("volume_available", VolumeIds=[left])
    ec2.delete_volume(VolumeId=left)


@check
def a_disk_is_not_smaller_than_its_image():
    described = ec2.describe_images(ImageIds=[the.image()])["Images"][0]
    mapping = {"DeviceName": described["RootDeviceName"], "Ebs": {"VolumeSize": 1}}
    refused("InvalidBlockDeviceMapping", ec2.run_instances, **request(BlockDeviceMappings=[mapping]))


@check
def placement_is_as_asked():
    zones = sorted(the.subnets())
    for zone in zones[:2]:
        instance = run(Placement={"AvailabilityZone": zone})[0]
        equal(instance["Placement"]["AvailabilityZone"], zone, "zone")
        equal(instance["SubnetId"], the.subnets()[zone]["SubnetId"], "subnet")
        end(instance["InstanceId"])
    subnet = the.subnets()[zones[-1]]["SubnetId"]
    instance = run(SubnetId=subnet)[0]
    equal(instance["Placement"]["AvailabilityZone"], zones[-1], "zone of a subnet")
    end(instance["InstanceId"])


@check
def addresses_are_as_asked():
    def interface(public):
        return [
            {
                "DeviceIndex": 0,
                "SubnetId": the.subnets()[the.zone()]["SubnetId"],
                "AssociatePublicIpAddress": public,
                "Groups": [the.default_group()],
                "DeleteOnTermination": True,
            }
        ]

    private = start(NetworkInterfaces=interface(False))
    that("PublicIpAddress" not in look(private), "an address where none was wanted")
    public = start(NetworkInterfaces=interface(True))
    that(look(public).get("PublicIpAddress"), "no address")
    refused(
        "InvalidParameterCombination",
        ec2.run_instances,
        **request(NetworkInterfaces=interface(True), SubnetId=the.subnets()[the.zone()]["SubnetId"]),
    )
    end(private, public)


@check
def tags_come_with_the_instance():
    specification = [
        *the.tagged("instance", Name="instance", a="1"),
        *the.tagged("volume", Name="volume"),
        *the.tagged("network-interface", Name="interface"),
    ]
    answer = ec2.run_instances(**request(TagSpecifications=specification))
    instance = answer["Instances"][0]["InstanceId"]
    equal(the.as_dict(answer["Instances"][0]["Tags"]), {"Name": "instance", "a": "1"}, "tags")
    wait("instance_running", instance)
    seen = look(instance)
    equal(the.as_dict(seen["Tags"]), {"Name": "instance", "a": "1"}, "tags when described")
    volume = seen["BlockDeviceMappings"][0]["Ebs"]["VolumeId"]
    described = ec2.describe_volumes(VolumeIds=[volume])["Volumes"][0]
    equal(the.as_dict(described["Tags"]), {"Name": "volume"}, "tags of the volume")
    interface = seen["NetworkInterfaces"][0]["NetworkInterfaceId"]
    described = ec2.describe_network_interfaces(NetworkInterfaceIds=[interface])
    equal(the.as_dict(described["NetworkInterfaces"][0]["TagSet"]), {"Name": "interface"}, "interface")
    end(instance)


@check
def spot_instances():
    market = {
        "MarketType": "spot",
        "SpotOptions": {"SpotInstanceType": "one-time", "InstanceInterruptionBehavior": "terminate"},
    }
    made = run(InstanceMarketOptions=market)[0]
    equal(made["InstanceLifecycle"], "spot", "InstanceLifecycle")
    wanted = made["SpotInstanceRequestId"]
    that(wanted.startswith("sir-"), f"SpotInstanceRequestId {wanted}")
    wait("instance_running", made["InstanceId"])
    listed = ec2.describe_spot_instance_requests(SpotInstanceRequestIds=[wanted])
    listed = the.one(listed["SpotInstanceRequests"])
    equal((listed["State"], listed["InstanceId"]), ("active", made["InstanceId"]), "request")
    equal(listed["Type"], "one-time", "Type")
    spots = the.found(Filters=the.by(instance_lifecycle="spot", instance_state_name="running"))
    equal(spots, [made["InstanceId"]], "by lifecycle")
    refused("UnsupportedOperation", ec2.stop_instances, InstanceIds=[made["InstanceId"]])
    end(made["InstanceId"])
    the.eventually(
        "the end of its request",
        lambda: ec2.describe_spot_instance_requests(SpotInstanceRequestIds=[wanted])[
            "SpotInstanceRequests"
        ][0]["State"]
        in ("closed", "cancelled"),
    )


@check
def unknown_actions_and_parameters():
    wrong = the.client(validated=False)
    refused("InvalidParameterValue", wrong.describe_instances, Filters=the.by(no_such_filter="x"))
    refused("InvalidParameterValue", wrong.describe_instances, MaxResults=4)
    refused("InvalidParameterValue", wrong.describe_instances, MaxResults=1001)
    instance = start()
    both = {"MaxResults": 5, "InstanceIds": [instance]}
    refused("InvalidParameterCombination", wrong.describe_instances, **both)
    end(instance)


@check
def signatures_are_verified():
    # EC2 tells either of them for a wrong secret.
    wrong = the.client(secret_key="wrong" * 8)
    try:
        wrong.describe_instances()
    except ClientError as error:
        found = (the.aws.status(error.response), error.response["Error"]["Code"])
        that(found in ((401, "AuthFailure"), (403, "SignatureDoesNotMatch")), f"refused by {found}")
    else:
        raise AssertionError("not refused")
    unknown = the.client(access_key="AKIAUNKNOWNUNKNOWN00")
    refused("AuthFailure", unknown.describe_instances, status=401)


@check
def regions_are_apart():
    instance = start()
    elsewhere = the.client(region="eu-west-1")
    equal(elsewhere.describe_instances(InstanceIds=[])["Reservations"], [], "instances elsewhere")
    refused("InvalidInstanceID.NotFound", elsewhere.terminate_instances, InstanceIds=[instance])
    zones = elsewhere.describe_availability_zones()["AvailabilityZones"]
    that(zones and all(zone["RegionName"] == "eu-west-1" for zone in zones), "zones")
    equal(state(instance), "running", "State")
    end(instance)


@check
def launch_times_are_filters():
    instance = start()
    today = datetime.datetime.now(datetime.timezone.utc).strftime("%Y-%m-%d*")
    that(instance in the.found(Filters=the.by(launch_time=today)), "not found by its day")
    end(instance)


if __name__ == "__main__":
    the.main()
