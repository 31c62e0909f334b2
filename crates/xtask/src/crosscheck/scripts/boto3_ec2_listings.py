"""boto3: tags, filters and pages."""

from concurrent.futures import ThreadPoolExecutor

import ec2 as the
from checks import check, equal, that
from ec2 import as_dict, by, ec2, end, look, refused, run, start, tags, wait


def of_instance(instance):
    """Tags of an instance as `DescribeTags` tells them."""
    pages = ec2.get_paginator("describe_tags").paginate(Filters=by(resource_id=instance))
    return [tag for page in pages for tag in page["Tags"]]


@check
def tags_are_added_replaced_and_removed():
    instance = start()
    ec2.create_tags(Resources=[instance], Tags=tags(a="1", b="2", empty=""))
    ec2.create_tags(Resources=[instance], Tags=tags(a="3"))
    equal(as_dict(look(instance)["Tags"]), {"a": "3", "b": "2", "empty": ""}, "tags")
    told = of_instance(instance)
    equal({tag["ResourceType"] for tag in told}, {"instance"}, "types")
    equal({tag["Key"]: tag["Value"] for tag in told}, {"a": "3", "b": "2", "empty": ""}, "listed")
    ec2.delete_tags(Resources=[instance], Tags=[{"Key": "a", "Value": "other"}])
    equal(as_dict(look(instance)["Tags"])["a"], "3", "removed by another value")
    ec2.delete_tags(Resources=[instance], Tags=[{"Key": "a", "Value": "3"}, {"Key": "b"}])
    equal(as_dict(look(instance)["Tags"]), {"empty": ""}, "tags after removal")
    ec2.delete_tags(Resources=[instance], Tags=[{"Key": "never"}])
    ec2.delete_tags(Resources=[instance])
    equal(of_instance(instance), [], "after all were removed")
    that(not look(instance).get("Tags"), "tags are left")
    end(instance)


@check
def tags_have_any_characters():
    instance = start()
    wanted = {
        "name with spaces": "a  b ",
        "ünï/cödé": "日本 🔑",
        "markup": "<a & 'b'> \"c\"",
        "signs": "+-=._:/@",
        "Case": "upper",
        "case": "lower",
    }
    sent = [{"Key": key, "Value": value} for key, value in wanted.items()]
    ec2.create_tags(Resources=[instance], Tags=sent)
    equal(as_dict(look(instance)["Tags"]), wanted, "tags")
    for key, value in wanted.items():
        filters = [{"Name": f"tag:{key}", "Values": [value]}]
        equal(the.found(Filters=filters), [instance], f"by tag:{key}")
    end(instance)


@check
def tags_have_limits():
    instance = start()
    ec2.create_tags(Resources=[instance], Tags=[{"Key": f"k{n}", "Value": ""} for n in range(50)])
    refused("TagLimitExceeded", ec2.create_tags, Resources=[instance], Tags=tags(more="1"))
    ec2.create_tags(Resources=[instance], Tags=tags(k0="changed"))
    equal(len(of_instance(instance)), 50, "tags")
    for wrong in ({"Key": "k" * 128}, {"Key": "a", "Value": "v" * 257}, {"Key": "aws:mine"}):
        wrong = {"Value": "", **wrong, "Key": wrong["Key"] * (1 if len(wrong["Key"]) < 100 else 2)}
        refused("InvalidParameterValue", ec2.create_tags, Resources=[instance], Tags=[wrong])
    end(instance)


@check
def tags_are_for_what_there_is():
    missing = ["i-0123456789abcdef0"]
    refused("InvalidInstanceID.NotFound", ec2.create_tags, Resources=missing, Tags=tags(a="1"))
    missing = ["vol-0123456789abcdef0"]
    refused("InvalidVolume.NotFound", ec2.create_tags, Resources=missing, Tags=tags(a="1"))
    refused("InvalidID", ec2.create_tags, Resources=["nothing"], Tags=tags(a="1"))


@check
def several_resources_get_tags_at_once():
    instances = [made["InstanceId"] for made in run(2)]
    wait("instance_running", *instances)
    volume = look(instances[0])["BlockDeviceMappings"][0]["Ebs"]["VolumeId"]
    ec2.create_tags(Resources=[*instances, volume], Tags=tags(group="several"))
    listed = ec2.describe_tags(Filters=[*by(key="group", value="several")])["Tags"]
    equal({tag["ResourceId"] for tag in listed}, {*instances, volume}, "resources")
    listed = ec2.describe_tags(Filters=by(key="group", resource_type="volume"))["Tags"]
    equal([tag["ResourceId"] for tag in listed], [volume], "volumes")
    end(*instances)


@check
def filters_choose():
    name = the.unique("filter")
    one = start(name=f"{name}-one")
    other = start(name=f"{name}-two")
    ec2.stop_instances(InstanceIds=[other])
    wait("instance_stopped", other)
    own = {"Name": "tag:Name", "Values": [f"{name}-*"]}

    def listed(*filters, **more):
        return sorted(the.found(Filters=[own, *filters, *by(**more)]))

    equal(listed(), sorted([one, other]), "by a pattern")
    equal(listed(instance_state_name="running"), [one], "running")
    equal(listed(instance_state_name=["running", "stopped"]), sorted([one, other]), "either")
    equal(listed(instance_state_code="80"), [other], "by code of state")
    equal(listed(instance_id=one), [one], "by id")
    equal(listed(instance_type=the.TYPE, image_id=the.image()), sorted([one, other]), "by both")
    equal(listed(instance_type="m5.large"), [], "by another type")
    equal(listed(availability_zone=look(one)["Placement"]["AvailabilityZone"], instance_id=one), [one])
    equal(listed(vpc_id=the.default_vpc()["VpcId"], instance_id=one), [one], "by VPC")
    equal(listed(private_ip_address=look(one)["PrivateIpAddress"]), [one], "by address")
    equal(listed(ip_address=look(one)["PublicIpAddress"]), [one], "by public address")
    equal(listed(tag_key="Name", instance_id=other), [other], "by key of a tag")
    equal(listed(tag_key="Nam?", instance_id=other), [other], "by pattern of a key")
    equal(listed({"Name": "tag:Name", "Values": [f"{name}-ONE"]}), [], "values have a case")
    equal(listed({"Name": "tag:none", "Values": ["*"]}), [], "without such a tag")
    end(one, other)


@check
def pages_add_up():
    name = the.unique("page")
    made = [instance["InstanceId"] for instance in run(3, name=name)]
    with ThreadPoolExecutor(8) as pool:
        made += [one[0]["InstanceId"] for one in pool.map(lambda _: run(name=name), range(10))]
    wait("instance_running", *made)
    filters = [{"Name": "tag:Name", "Values": [name]}]
    pages = list(
        ec2.get_paginator("describe_instances").paginate(
            Filters=filters, PaginationConfig={"PageSize": 5}
        )
    )
    listed = [
        instance["InstanceId"]
        for page in pages
        for reservation in page["Reservations"]
        for instance in reservation["Instances"]
    ]
    equal(sorted(listed), sorted(made), "instances")
    that(len(pages) >= 2, f"{len(pages)} page")
    that("NextToken" not in pages[-1] or not pages[-1]["NextToken"], "the last page has a token")
    everything = the.found(Filters=filters)
    equal(sorted(everything), sorted(made), "on one page")
    pages = ec2.get_paginator("describe_instance_status").paginate(
        Filters=by(instance_state_name="running"), PaginationConfig={"PageSize": 5}
    )
    statuses = [status["InstanceId"] for page in pages for status in page["InstanceStatuses"]]
    that(set(made) <= set(statuses), "statuses are missing")
    equal(len(statuses), len(set(statuses)), "statuses are repeated")
    pages = list(
        ec2.get_paginator("describe_tags").paginate(
            Filters=by(key="Name", value=name), PaginationConfig={"PageSize": 5}
        )
    )
    tagged = [tag["ResourceId"] for page in pages for tag in page["Tags"]]
    equal(sorted(tagged), sorted(made), "tags")
    equal([len(page["Tags"]) for page in pages], [5, 5, 3], "sizes of pages of tags")
    end(*made)


@check
def tokens_that_were_not_issued_are_refused():
    codes = ("InvalidNextToken", "InvalidParameterValue", "InvalidPaginationToken")
    for call in (ec2.describe_instances, ec2.describe_tags, ec2.describe_volumes):
        refused(codes, call, NextToken="not a token")


@check
def terminated_instances_are_still_listed():
    name = the.unique("gone")
    instance = start(name=name)
    end(instance)
    filters = [{"Name": "tag:Name", "Values": [name]}]
    equal(the.found(Filters=filters), [instance], "terminated")
    equal(the.found(Filters=[*filters, *by(instance_state_name="running")]), [], "running")


if __name__ == "__main__":
    the.main()
