"""boto3 clients of EC2 and what belongs to it, and what the checks of instances have in common."""

import contextlib
import json
import time
import urllib.request

import boto3
import botocore.exceptions
from botocore.config import Config

import aws
import checks
from checks import TARGET, that
from model import Watch

# Every answer that any client here gets.
WATCH = Watch()

REGION = TARGET.get("region", checks.REGION)

# What waiters of botocore do between two looks. The emulator is told to take little time.
POLL = {"Delay": 1, "MaxAttempts": 60}

TYPE = "t3.micro"
ARM_TYPE = "t4g.micro"

PARAMETER = "/aws/service/ami-amazon-linux-latest/al2023-ami-kernel-default-x86_64"


def session(**arguments):
    return boto3.session.Session(
        aws_access_key_id=arguments.get("access_key", checks.ACCESS_KEY),
        aws_secret_access_key=arguments.get("secret_key", checks.SECRET_KEY),
        aws_session_token=arguments.get("token"),
        region_name=arguments.get("region", REGION),
    )


def client(service="ec2", *, endpoint=None, watched=True, validated=True, **arguments):
    """A client with credentials of its own, whose answers are held against the model."""
    config = Config(
        retries={"total_max_attempts": 1},
        connect_timeout=10,
        read_timeout=60,
        max_pool_connections=32,
        parameter_validation=validated,
    )
    made = session(**arguments).client(
        service, endpoint_url=endpoint or TARGET["ec2"], config=config
    )
    return WATCH.add(made) if watched else made


def resource():
    """The resource side of boto3."""
    made = session().resource(
        "ec2",
        endpoint_url=TARGET["ec2"],
        config=Config(retries={"total_max_attempts": 1}, max_pool_connections=32),
    )
    WATCH.add(made.meta.client)
    return made


ec2 = client()
ssm = client("ssm")
quotas = client("service-quotas")


def refused(code, call, status=400, **arguments):
    """Makes a call that has to fail, and returns the error's answer."""
    return aws.refused(status, code, call, **arguments)


def would_succeed(call, **arguments):
    """Asks whether a call would be allowed."""
    return refused("DryRunOperation", call, status=412, DryRun=True, **arguments)


def one(items, what="item"):
    that(len(items) == 1, f"{len(items)} instead of one {what}")
    return items[0]


def tags(**pairs):
    """Tags as they are sent."""
    return [{"Key": key, "Value": value} for key, value in pairs.items()]


def as_dict(found):
    """Tags as they are told."""
    return {tag["Key"]: tag["Value"] for tag in found}


def tagged(kind, **pairs):
    return [{"ResourceType": kind, "Tags": tags(**pairs)}]


def by(**filters):
    """Filters; `_` stands for `-`, and what is no list is one value."""
    return [
        {"Name": name.replace("_", "-"), "Values": value if isinstance(value, list) else [value]}
        for name, value in filters.items()
    ]


_image = []


def image():
    """An image that is there: the newest of Amazon's Linux."""
    if not _image:
        _image.append(ssm.get_parameter(Name=PARAMETER)["Parameter"]["Value"])
    return _image[0]


def run(count=1, *, name=None, **arguments):
    """Runs instances and returns what the answer tells of each."""
    arguments = {"ImageId": image(), "InstanceType": TYPE, **arguments}
    if name:
        arguments["TagSpecifications"] = tagged("instance", Name=name)
    answer = ec2.run_instances(MinCount=count, MaxCount=count, **arguments)
    that(len(answer["Instances"]) == count, f"{len(answer['Instances'])} instances")
    seen(*[instance["InstanceId"] for instance in answer["Instances"]])
    return answer["Instances"]


def seen(*instances):
    """Waits until instances are seen, which takes a little after they were made."""
    ids = list(instances)
    eventually(f"{ids}", lambda: ec2.describe_instances(InstanceIds=ids))


def start(**arguments):
    """Runs an instance, waits until it runs, and returns its id."""
    instance = run(**arguments)[0]["InstanceId"]
    wait("instance_running", instance)
    return instance


def wait(what, *instances, of=None, **arguments):
    """Waits as botocore does."""
    if instances:
        arguments["InstanceIds"] = list(instances)
    (of or ec2).get_waiter(what).wait(WaiterConfig=POLL, **arguments)


def look(instance):
    """What EC2 tells of an instance."""
    reservation = one(ec2.describe_instances(InstanceIds=[instance])["Reservations"], "reservation")
    return one(reservation["Instances"], "instance")


def state(instance):
    return look(instance)["State"]["Name"]


def found(**arguments):
    """Ids of all instances that a listing finds."""
    pages = ec2.get_paginator("describe_instances").paginate(**arguments)
    return [
        instance["InstanceId"]
        for page in pages
        for reservation in page["Reservations"]
        for instance in reservation["Instances"]
    ]


def end(*instances):
    """Terminates instances, and waits for it."""
    if instances:
        seen(*instances)
        ec2.terminate_instances(InstanceIds=list(instances))
        wait("instance_terminated", *instances)


def unique(what):
    """A name that nothing else has."""
    return checks.bucket_name().replace("crosscheck", what)


def eventually(what, look, seconds=30):
    """Looks until something is there, and returns it."""
    for _ in range(seconds * 5):
        with contextlib.suppress(botocore.exceptions.ClientError):
            if seen := look():
                return seen
        time.sleep(0.2)
    raise AssertionError(f"never seen: {what}")


def default_vpc():
    return one(ec2.describe_vpcs(Filters=by(is_default="true"))["Vpcs"], "default VPC")


def subnets():
    """The default subnets, by zone."""
    listed = ec2.describe_subnets(Filters=by(default_for_az="true"))["Subnets"]
    return {subnet["AvailabilityZone"]: subnet for subnet in listed}


def zone():
    """A zone that has a default subnet."""
    return sorted(subnets())[0]


def default_group():
    filters = [*by(group_name="default"), {"Name": "vpc-id", "Values": [default_vpc()["VpcId"]]}]
    listed = ec2.describe_security_groups(Filters=filters)["SecurityGroups"]
    return one(listed, "default group")["GroupId"]


def reset():
    """Ends every instance that is left."""
    alive = ["pending", "running", "stopping", "stopped"]
    end(*found(Filters=by(instance_state_name=alive)))


def every_instance_can_be_terminated():
    """Ends what the checks left, and finds nothing alive and no volume behind it."""
    reset()
    alive = ["pending", "running", "stopping", "stopped", "shutting-down"]
    that(found(Filters=by(instance_state_name=alive)) == [], "instances are left")
    attached = ec2.describe_volumes(Filters=by(status="in-use"))["Volumes"]
    that(attached == [], f"{len(attached)} volumes are attached to nothing")
    owned = ec2.describe_network_interfaces(Filters=by(status="in-use"))["NetworkInterfaces"]
    that(owned == [], f"{len(owned)} interfaces belong to nothing")


def answers_follow_the_service_model():
    """What the clients of this script got, as it was sent, follows botocore's model."""
    WATCH.judge()


def post(body, headers=()):
    """Sends a request to EC2 as it is."""
    request = urllib.request.Request(TARGET["ec2"], data=body, headers=dict(headers), method="POST")
    with urllib.request.urlopen(request, timeout=20) as answer:
        return answer.read()


def described(value):
    """A document in short."""
    return json.dumps(value, default=str)[:200]


def main(prepare=lambda: ()):
    checks.main(
        prepare,
        finish=every_instance_can_be_terminated,
        always=(answers_follow_the_service_model,),
    )
