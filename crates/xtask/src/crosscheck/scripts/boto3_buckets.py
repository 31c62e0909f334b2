"""boto3: buckets, their versioning, lifecycle, location and tags."""

import aws
from aws import (
    empty, everything_can_be_removed, fresh_bucket, header, keys, put, read, refused, s3, status,
)
from checks import bucket_name, check, equal, main, that


def version(bucket, on=True):
    configuration = {"Status": "Enabled" if on else "Suspended"}
    s3.put_bucket_versioning(Bucket=bucket, VersioningConfiguration=configuration)


@check
def buckets_are_created_listed_and_deleted(_bucket):
    name = bucket_name()
    refused(404, "404", s3.head_bucket, Bucket=name)
    answer = s3.create_bucket(Bucket=name)
    equal(answer["Location"], f"/{name}", "Location")
    equal(status(s3.head_bucket(Bucket=name)), 200, "head")
    that(name in [entry["Name"] for entry in s3.list_buckets()["Buckets"]], "it is not listed")
    s3.delete_bucket(Bucket=name)
    refused(404, "NoSuchBucket", s3.delete_bucket, Bucket=name)
    that(name not in [entry["Name"] for entry in s3.list_buckets()["Buckets"]], "it is listed")


@check
def buckets_are_listed_page_by_page(_bucket):
    prefix = f"{bucket_name()}-"
    names = [f"{prefix}{n}" for n in range(5)]
    for name in names:
        s3.create_bucket(Bucket=name)
    pages = s3.get_paginator("list_buckets").paginate(
        Prefix=prefix, PaginationConfig={"PageSize": 2}
    )
    found = [[entry["Name"] for entry in page["Buckets"]] for page in pages]
    equal(found, [names[:2], names[2:4], names[4:]], "pages")
    for name in names:
        s3.delete_bucket(Bucket=name)


@check
def buckets_with_objects_cannot_be_deleted(bucket):
    put(bucket, "key")
    refused(409, "BucketNotEmpty", s3.delete_bucket, Bucket=bucket)
    equal(read(bucket, "key"), b"content", "content")
    (other,) = fresh_bucket()
    version(other)
    put(other, "key")
    s3.delete_object(Bucket=other, Key="key")
    refused(409, "BucketNotEmpty", s3.delete_bucket, Bucket=other)


@check
def buckets_have_one_owner_and_one_location(_bucket):
    name = bucket_name()
    there = aws.client(region="eu-west-1")
    configuration = {"LocationConstraint": "eu-west-1"}
    there.create_bucket(Bucket=name, CreateBucketConfiguration=configuration)
    try:
        code = "BucketAlreadyOwnedByYou"
        again = {"Bucket": name, "CreateBucketConfiguration": configuration}
        refused(409, code, there.create_bucket, **again)
        equal(s3.get_bucket_location(Bucket=name)["LocationConstraint"], "eu-west-1", "location")
        head = there.head_bucket(Bucket=name)
        equal(header(head, "x-amz-bucket-region"), "eu-west-1", "x-amz-bucket-region")
    finally:
        there.delete_bucket(Bucket=name)


@check
def the_first_region_has_no_location(bucket):
    equal(s3.get_bucket_location(Bucket=bucket)["LocationConstraint"], None, "location")


@check
def in_the_first_region_ones_own_bucket_can_be_created_again(bucket):
    put(bucket, "key")
    equal(status(s3.create_bucket(Bucket=bucket)), 200, "status")
    equal(read(bucket, "key"), b"content", "content")


@check
def wrong_names_of_buckets_are_refused(_bucket):
    for name in ("Upper-case", "under_score", "192.168.0.1", "a..b", "-begin", "xn--name"):
        refused(400, "InvalidBucketName", s3.create_bucket, Bucket=name)


@check
def virtual_hosts_name_buckets(bucket):
    import socket

    resolve = socket.getaddrinfo

    def here(host, *arguments, **options):
        return resolve("127.0.0.1" if host.endswith(".localhost") else host, *arguments, **options)

    port = aws.checks.ENDPOINT.rsplit(":", 1)[1].strip("/")
    client = aws.client(endpoint=f"http://localhost:{port}", style="virtual")
    seen = []
    client.meta.events.register(
        "before-send.s3.*", lambda request, **_: seen.append(request.url)
    )
    socket.getaddrinfo = here
    try:
        client.put_object(Bucket=bucket, Key="a//ключ +", Body=b"content")
        equal(client.get_object(Bucket=bucket, Key="a//ключ +")["Body"].read(), b"content", "content")
        found = client.list_objects_v2(Bucket=bucket)["Contents"]
        equal([entry["Key"] for entry in found], ["a//ключ +"], "listing")
    finally:
        socket.getaddrinfo = resolve
    that(seen and all(f"//{bucket}.localhost" in url for url in seen), f"sent to {seen}")


@check
def versions_are_kept(bucket):
    that("Status" not in s3.get_bucket_versioning(Bucket=bucket), "versioning has a status")
    put(bucket, "key", b"null")
    version(bucket)
    equal(s3.get_bucket_versioning(Bucket=bucket)["Status"], "Enabled", "status")
    old = put(bucket, "key", b"old")["VersionId"]
    new = put(bucket, "key", b"new")["VersionId"]
    that(old != new, "both versions have one id")
    equal(read(bucket, "key"), b"new", "latest")
    equal(read(bucket, "key", VersionId=old), b"old", "old")
    equal(read(bucket, "key", VersionId="null"), b"null", "null")
    head = s3.head_object(Bucket=bucket, Key="key", VersionId=old)
    equal((head["VersionId"], head["ContentLength"]), (old, 3), "head")
    source = {"Bucket": bucket, "Key": "key", "VersionId": old}
    copied = s3.copy_object(Bucket=bucket, Key="key", CopySource=source)
    equal(copied["CopySourceVersionId"], old, "CopySourceVersionId")
    equal(read(bucket, "key"), b"old", "restored")


@check
def deletes_leave_markers(bucket):
    version(bucket)
    kept = put(bucket, "key")["VersionId"]
    answer = s3.delete_object(Bucket=bucket, Key="key")
    equal(answer["DeleteMarker"], True, "DeleteMarker")
    marker = answer["VersionId"]
    error = refused(404, "NoSuchKey", s3.get_object, Bucket=bucket, Key="key")
    equal(header(error, "x-amz-delete-marker"), "true", "x-amz-delete-marker")
    here = {"Bucket": bucket, "Key": "key", "VersionId": marker}
    refused(405, "MethodNotAllowed", s3.get_object, **here)
    refused(405, "405", s3.head_object, **here)
    equal(keys(bucket), [], "keys")
    equal(read(bucket, "key", VersionId=kept), b"content", "the version below")
    equal(s3.delete_object(**here)["DeleteMarker"], True, "DeleteMarker of its deletion")
    equal(read(bucket, "key"), b"content", "content without the marker")


@check
def versions_can_be_deleted_for_good(bucket):
    version(bucket)
    old = put(bucket, "key", b"old")["VersionId"]
    new = put(bucket, "key", b"new")["VersionId"]
    answer = s3.delete_object(Bucket=bucket, Key="key", VersionId=new)
    equal(answer["VersionId"], new, "VersionId")
    that(not answer.get("DeleteMarker"), "a marker was made")
    equal(read(bucket, "key"), b"old", "content")
    refused(404, "NoSuchVersion", s3.get_object, Bucket=bucket, Key="key", VersionId=new)
    entries = [{"Key": "key", "VersionId": old}]
    deleted = s3.delete_objects(Bucket=bucket, Delete={"Objects": entries})["Deleted"]
    equal(deleted, [{"Key": "key", "VersionId": old}], "deleted")
    that(not s3.list_object_versions(Bucket=bucket).get("Versions"), "versions are left")


@check
def bulk_deletes_tell_of_markers(bucket):
    version(bucket)
    put(bucket, "key")
    (deleted,) = s3.delete_objects(Bucket=bucket, Delete={"Objects": [{"Key": "key"}]})["Deleted"]
    equal(deleted["DeleteMarker"], True, "DeleteMarker")
    marker = s3.list_object_versions(Bucket=bucket)["DeleteMarkers"][0]["VersionId"]
    equal(deleted["DeleteMarkerVersionId"], marker, "DeleteMarkerVersionId")


@check
def suspended_versioning_replaces_null_versions(bucket):
    version(bucket)
    kept = put(bucket, "key", b"kept")["VersionId"]
    version(bucket, False)
    equal(s3.get_bucket_versioning(Bucket=bucket)["Status"], "Suspended", "status")
    put(bucket, "key", b"null 1")
    put(bucket, "key", b"null 2")
    found = s3.list_object_versions(Bucket=bucket)["Versions"]
    equal([entry["VersionId"] for entry in found], ["null", kept], "versions")
    equal(read(bucket, "key", VersionId="null"), b"null 2", "null version")
    answer = s3.delete_object(Bucket=bucket, Key="key")
    equal(answer.get("VersionId"), "null", "the marker")
    equal(len(s3.list_object_versions(Bucket=bucket)["Versions"]), 1, "versions left")


@check
def version_ids_that_make_no_sense_are_refused(bucket):
    version(bucket)
    put(bucket, "key")
    here = {"Bucket": bucket, "Key": "key", "VersionId": "makes no sense"}
    refused(400, "InvalidArgument", s3.get_object, **here)


@check
def versions_have_tags_of_their_own(bucket):
    version(bucket)
    old = put(bucket, "key", Tagging="n=1")["VersionId"]
    put(bucket, "key", Tagging="n=2")
    answer = s3.get_object_tagging(Bucket=bucket, Key="key", VersionId=old)
    equal(answer["TagSet"], [{"Key": "n", "Value": "1"}], "tags of the old")
    equal(answer["VersionId"], old, "VersionId")


@check
def lifecycles_are_kept(bucket):
    code = "NoSuchLifecycleConfiguration"
    refused(404, code, s3.get_bucket_lifecycle_configuration, Bucket=bucket)
    rules = [
        {
            "ID": "logs",
            "Status": "Enabled",
            "Filter": {"Prefix": "logs/"},
            "Expiration": {"Days": 30},
            "Transitions": [{"Days": 10, "StorageClass": "GLACIER"}],
        },
        {
            "ID": "parts & more",
            "Status": "Disabled",
            "Filter": {"And": {"Prefix": "a", "Tags": [{"Key": "k", "Value": "v"}]}},
            "NoncurrentVersionExpiration": {"NoncurrentDays": 5},
        },
        {
            "ID": "uploads",
            "Status": "Enabled",
            "Filter": {"Prefix": ""},
            "AbortIncompleteMultipartUpload": {"DaysAfterInitiation": 7},
        },
    ]
    configuration = {"Rules": rules}
    s3.put_bucket_lifecycle_configuration(Bucket=bucket, LifecycleConfiguration=configuration)
    found = s3.get_bucket_lifecycle_configuration(Bucket=bucket)["Rules"]
    for rule, expected in zip(found, rules, strict=True):
        for name, value in expected.items():
            equal(rule.get(name), value, f"{name} of {expected['ID']}")
    s3.delete_bucket_lifecycle(Bucket=bucket)
    refused(404, code, s3.get_bucket_lifecycle_configuration, Bucket=bucket)


@check
def wrong_lifecycles_are_refused(bucket):
    def refusal(codes, **rule):
        rule = {"Status": "Enabled", "Filter": {"Prefix": ""}, **rule}
        arguments = {"Bucket": bucket, "LifecycleConfiguration": {"Rules": [rule]}}
        refused(400, codes, s3.put_bucket_lifecycle_configuration, **arguments)

    refusal(("InvalidArgument", "MalformedXML"), Expiration={"Days": 0})
    refusal(("InvalidRequest", "MalformedXML"))
    refusal(("MalformedXML",), Status="On", Expiration={"Days": 1})


@check
def buckets_have_tags(bucket):
    refused(404, "NoSuchTagSet", s3.get_bucket_tagging, Bucket=bucket)
    tags = {"TagSet": [{"Key": "a", "Value": "1 + 2 = 3"}]}
    s3.put_bucket_tagging(Bucket=bucket, Tagging=tags)
    equal(s3.get_bucket_tagging(Bucket=bucket)["TagSet"], tags["TagSet"], "tags")
    s3.delete_bucket_tagging(Bucket=bucket)
    refused(404, "NoSuchTagSet", s3.get_bucket_tagging, Bucket=bucket)


@check
def buckets_can_be_emptied_and_deleted(_bucket):
    name = bucket_name()
    s3.create_bucket(Bucket=name)
    version(name)
    for n in range(3):
        put(name, "a/ключ", str(n).encode())
    s3.delete_object(Bucket=name, Key="a/ключ")
    s3.create_multipart_upload(Bucket=name, Key="upload")
    empty(name)
    s3.delete_bucket(Bucket=name)


if __name__ == "__main__":
    main(fresh_bucket, everything_can_be_removed)
