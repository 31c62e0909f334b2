"""boto3: what there is to be had: types, images, parameters, quotas, key pairs."""

import ec2 as the
from checks import check, equal, that
from ec2 import as_dict, by, ec2, end, quotas, refused, ssm, start, wait

KEY = (
    "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIE1yRBYm3fWGLmWNKnZtI4ZpVJnYyCe7WnQm2nQvWKcW check"
)


@check
def types_tell_their_hardware():
    (seen,) = ec2.describe_instance_types(InstanceTypes=[the.TYPE])["InstanceTypes"]
    equal(seen["InstanceType"], "t3.micro", "name")
    equal((seen["VCpuInfo"]["DefaultVCpus"], seen["MemoryInfo"]["SizeInMiB"]), (2, 1024), "size")
    equal(seen["ProcessorInfo"]["SupportedArchitectures"], ["x86_64"], "architecture")
    equal(seen["BurstablePerformanceSupported"], True, "burstable")
    (arm,) = ec2.describe_instance_types(InstanceTypes=[the.ARM_TYPE])["InstanceTypes"]
    equal(arm["ProcessorInfo"]["SupportedArchitectures"], ["arm64"], "architecture of another")
    refused("InvalidInstanceType", ec2.describe_instance_types, InstanceTypes=["z9.nothing"])


@check
def types_are_listed_in_pages():
    pages = ec2.get_paginator("describe_instance_types").paginate(PaginationConfig={"PageSize": 5})
    names = [it["InstanceType"] for page in pages for it in page["InstanceTypes"]]
    that(len(names) > 5 and len(names) == len(set(names)), f"{len(names)} types")
    that(the.TYPE in names and the.ARM_TYPE in names, "types are missing")
    filters = [{"Name": "processor-info.supported-architecture", "Values": ["arm64"]}]
    pages = ec2.get_paginator("describe_instance_types").paginate(Filters=filters)
    arm = [it for page in pages for it in page["InstanceTypes"]]
    that(arm and all("arm64" in it["ProcessorInfo"]["SupportedArchitectures"] for it in arm), "arm64")
    filters = [{"Name": "instance-type", "Values": ["t3.*"]}]
    pages = ec2.get_paginator("describe_instance_types").paginate(Filters=filters)
    family = [it["InstanceType"] for page in pages for it in page["InstanceTypes"]]
    that(family and all(it.startswith("t3.") for it in family), f"of t3: {family}")


@check
def types_are_offered_in_zones():
    def offered(**arguments):
        pages = ec2.get_paginator("describe_instance_type_offerings").paginate(**arguments)
        return [it for page in pages for it in page["InstanceTypeOfferings"]]

    in_zones = offered(LocationType="availability-zone", Filters=by(instance_type=the.TYPE))
    zones = {it["Location"] for it in in_zones}
    that(zones and zones <= set(the.subnets()), f"offered in {zones}")
    that(all(it["LocationType"] == "availability-zone" for it in in_zones), "types of locations")
    here = offered(Filters=by(instance_type=the.TYPE))
    equal([(it["LocationType"], it["Location"]) for it in here], [("region", the.REGION)], "here")


@check
def images_are_found():
    (seen,) = ec2.describe_images(ImageIds=[the.image()])["Images"]
    equal((seen["State"], seen["Public"], seen["ImageType"]), ("available", True, "machine"), "image")
    equal((seen["Architecture"], seen["RootDeviceType"]), ("x86_64", "ebs"), "for what")
    devices = [it["DeviceName"] for it in seen["BlockDeviceMappings"]]
    that(seen["RootDeviceName"] in devices, "the root device has no mapping")
    by_owner = ec2.describe_images(
        Owners=["amazon"], Filters=by(name=seen["Name"], architecture="x86_64")
    )["Images"]
    that(seen["ImageId"] in [it["ImageId"] for it in by_owner], "not found by owner and name")
    pattern = by(name=seen["Name"][:12] + "*", state="available")
    listed = ec2.describe_images(Owners=[seen["OwnerId"]], Filters=pattern)["Images"]
    that(seen["ImageId"] in [it["ImageId"] for it in listed], "not found by pattern")
    refused("InvalidAMIID.NotFound", ec2.describe_images, ImageIds=["ami-0123456789abcdef0"])
    refused("InvalidAMIID.Malformed", ec2.describe_images, ImageIds=["image"])


@check
def public_parameters_name_images():
    answer = ssm.get_parameter(Name=the.PARAMETER)["Parameter"]
    equal((answer["Name"], answer["Type"]), (the.PARAMETER, "String"), "parameter")
    that(answer["Value"].startswith("ami-"), f"Value {answer['Value']}")
    that(answer["Version"] >= 1 and answer["LastModifiedDate"], "version and time")
    missing = "/aws/service/nothing"
    answer = ssm.get_parameters(Names=[the.PARAMETER, missing])
    equal([it["Name"] for it in answer["Parameters"]], [the.PARAMETER], "parameters")
    equal(answer["InvalidParameters"], [missing], "those that are not there")
    refused("ParameterNotFound", ssm.get_parameter, Name=missing)


@check
def quotas_are_told():
    pages = quotas.get_paginator("list_service_quotas").paginate(ServiceCode="ec2")
    listed = [it for page in pages for it in page["Quotas"]]
    that(listed, "no quotas")
    (standard,) = [it for it in listed if it["QuotaCode"] == "L-1216C47A"]
    equal(standard["ServiceCode"], "ec2", "ServiceCode")
    that(standard["Value"] > 0 and standard["Adjustable"] is True, "value")
    refused(
        "NoSuchResourceException", quotas.list_service_quotas, ServiceCode="nothing"
    )


@check
def key_pairs_are_imported():
    name = the.unique("key")
    made = ec2.import_key_pair(
        KeyName=name,
        PublicKeyMaterial=KEY.encode(),
        TagSpecifications=the.tagged("key-pair", Name="k"),
    )
    equal(made["KeyName"], name, "KeyName")
    that(made["KeyPairId"].startswith("key-") and made["KeyFingerprint"], "id and fingerprint")
    wait("key_pair_exists", KeyNames=[name])
    (seen,) = ec2.describe_key_pairs(KeyNames=[name], IncludePublicKey=True)["KeyPairs"]
    equal((seen["KeyPairId"], seen["KeyType"]), (made["KeyPairId"], "ed25519"), "key pair")
    equal(seen["PublicKey"].split()[:2], KEY.split()[:2], "public key")
    equal(as_dict(seen["Tags"]), {"Name": "k"}, "tags")
    again = {"KeyName": name, "PublicKeyMaterial": KEY.encode()}
    refused("InvalidKeyPair.Duplicate", ec2.import_key_pair, **again)
    instance = start(KeyName=name)
    ec2.delete_key_pair(KeyName=name)
    equal(the.look(instance)["KeyName"], name, "key of the instance, after it was deleted")
    end(instance)
    refused("InvalidKeyPair.NotFound", ec2.describe_key_pairs, KeyNames=[name])
    ec2.delete_key_pair(KeyName=name)


@check
def key_pairs_are_checked():
    for wrong in (b"", b"nonsense", b"ssh-rsa nonsense", KEY.encode()[:40]):
        arguments = {"KeyName": the.unique("key"), "PublicKeyMaterial": wrong}
        refused(("InvalidKey.Format", "MissingParameter"), ec2.import_key_pair, **arguments)


@check
def key_pairs_are_generated():
    name = the.unique("key")
    made = ec2.create_key_pair(KeyName=name, KeyType="ed25519")
    that(made["KeyMaterial"].startswith("-----BEGIN"), "private key")
    listed = the.eventually(
        "the key pair", lambda: ec2.describe_key_pairs(Filters=by(key_name=name))["KeyPairs"]
    )
    equal([it["KeyPairId"] for it in listed], [made["KeyPairId"]], "by name")
    refused("InvalidKeyPair.Duplicate", ec2.create_key_pair, KeyName=name)
    ec2.delete_key_pair(KeyPairId=made["KeyPairId"])
    equal(ec2.describe_key_pairs(Filters=by(key_name=name))["KeyPairs"], [], "after deletion")


if __name__ == "__main__":
    the.main()
