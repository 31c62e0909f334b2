"""boto3: multipart uploads, step by step."""

import hashlib

from aws import everything_can_be_removed, fresh_bucket, put, read, refused, s3, status
from checks import MIB, check, equal, main, md5, pattern, that

SMALLEST = 5 * MIB


def create(bucket, key="key", **arguments):
    """A new upload, as the arguments that name it."""
    answer = s3.create_multipart_upload(Bucket=bucket, Key=key, **arguments)
    return {"Bucket": bucket, "Key": key, "UploadId": answer["UploadId"]}


def upload(where, number, body):
    """Uploads a part, and returns it as `complete` lists it."""
    return listed(number, s3.upload_part(**where, PartNumber=number, Body=body))


def listed(number, answer):
    told = {name: value for name, value in answer.items() if name.startswith("Checksum")}
    told.pop("ChecksumType", None)
    return {"PartNumber": number, "ETag": answer["ETag"], **told}


def complete(where, parts, **arguments):
    return s3.complete_multipart_upload(**where, MultipartUpload={"Parts": parts}, **arguments)


def etag_of(*parts):
    digests = b"".join(hashlib.md5(part).digest() for part in parts)
    return f'"{md5(digests)}-{len(parts)}"'


@check
def parts_become_an_object(bucket):
    bodies = [pattern(SMALLEST, 1), pattern(SMALLEST + 1, 2), b"last"]
    attributes = {"ContentType": "text/plain", "Metadata": {"a": "b"}, "Tagging": "t=1"}
    where = create(bucket, "a/ключ +&", StorageClass="STANDARD_IA", **attributes)
    parts = [upload(where, n + 1, body) for n, body in enumerate(bodies)]
    equal(parts[0]["ETag"], f'"{md5(bodies[0])}"', "ETag of a part")
    refused(404, "404", s3.head_object, Bucket=bucket, Key="a/ключ +&")
    done = complete(where, parts)
    equal(done["ETag"], etag_of(*bodies), "ETag")
    equal((done["Bucket"], done["Key"]), (bucket, "a/ключ +&"), "bucket and key")
    answer = s3.get_object(Bucket=bucket, Key="a/ключ +&")
    equal(answer["Body"].read(), b"".join(bodies), "content")
    equal(answer["ContentType"], "text/plain", "ContentType")
    equal(answer["Metadata"], {"a": "b"}, "metadata")
    equal(answer.get("StorageClass"), "STANDARD_IA", "class")
    tags = s3.get_object_tagging(Bucket=bucket, Key="a/ключ +&")["TagSet"]
    equal(tags, [{"Key": "t", "Value": "1"}], "tags")


@check
def parts_may_have_gaps_and_come_in_any_order(bucket):
    where = create(bucket)
    last = upload(where, 10_000, b"last")
    first = upload(where, 7, pattern(SMALLEST))
    complete(where, [first, last])
    equal(read(bucket, "key"), pattern(SMALLEST) + b"last", "content")


@check
def a_part_can_be_uploaded_again(bucket):
    where = create(bucket)
    old = upload(where, 1, b"old")
    new = upload(where, 1, b"new")
    refused(400, "InvalidPart", complete, where=where, parts=[old])
    complete(where, [new])
    equal(read(bucket, "key"), b"new", "content")


@check
def parts_that_are_not_listed_are_left_out(bucket):
    where = create(bucket)
    upload(where, 1, b"left out")
    second = upload(where, 2, b"kept")
    done = complete(where, [second])
    equal(done["ETag"], etag_of(b"kept"), "ETag")
    equal(read(bucket, "key"), b"kept", "content")


@check
def wrong_lists_of_parts_are_refused(bucket):
    where = create(bucket)
    small = upload(where, 1, b"small")
    last = upload(where, 2, b"last")
    refused(400, "EntityTooSmall", complete, where=where, parts=[small, last])
    large = upload(where, 1, pattern(SMALLEST))
    refused(400, "InvalidPartOrder", complete, where=where, parts=[last, large])
    absent = {**last, "PartNumber": 3}
    refused(400, "InvalidPart", complete, where=where, parts=[large, absent])
    wrong = {**last, "ETag": f'"{md5(b"other")}"'}
    refused(400, "InvalidPart", complete, where=where, parts=[large, wrong])
    refused(400, "MalformedXML", complete, where=where, parts=[])
    complete(where, [large, last])


@check
def part_numbers_are_limited(bucket):
    where = create(bucket)
    for number in (0, 10_001, -1):
        arguments = {**where, "PartNumber": number, "Body": b""}
        refused(400, "InvalidArgument", s3.upload_part, **arguments)


@check
def uploads_that_are_not_known_are_refused(bucket):
    where = create(bucket)
    part = upload(where, 1, b"part")
    s3.abort_multipart_upload(**where)
    unknown = {**where, "UploadId": "unknown"}
    other = {**create(bucket), "Key": "other"}
    for gone in (where, unknown, other):
        refused(404, "NoSuchUpload", s3.upload_part, **gone, PartNumber=1, Body=b"")
        refused(404, "NoSuchUpload", s3.list_parts, **gone)
        refused(404, "NoSuchUpload", complete, where=gone, parts=[part])
    refused(404, "NoSuchUpload", s3.abort_multipart_upload, **unknown)
    refused(404, "404", s3.head_object, Bucket=bucket, Key="key")


@check
def abort_leaves_nothing(bucket):
    put(bucket, "key", b"before")
    where = create(bucket)
    upload(where, 1, b"part")
    equal(status(s3.abort_multipart_upload(**where)), 204, "status")
    that(not s3.list_multipart_uploads(Bucket=bucket).get("Uploads"), "the upload is listed")
    equal(read(bucket, "key"), b"before", "content")


@check
def parts_are_listed_page_by_page(bucket):
    where = create(bucket, StorageClass="STANDARD_IA")
    for n in range(1, 8):
        upload(where, n, str(n).encode() * n)
    pages = s3.get_paginator("list_parts").paginate(**where, PaginationConfig={"PageSize": 3})
    pages = list(pages)
    equal([len(page["Parts"]) for page in pages], [3, 3, 1], "pages")
    parts = [part for page in pages for part in page["Parts"]]
    equal([part["PartNumber"] for part in parts], list(range(1, 8)), "numbers")
    equal([part["Size"] for part in parts], list(range(1, 8)), "sizes")
    equal(parts[2]["ETag"], f'"{md5(b"333")}"', "ETag")
    equal(pages[0]["StorageClass"], "STANDARD_IA", "class")


@check
def uploads_are_listed_page_by_page(bucket):
    created = [create(bucket, key) for key in ("a", "a", "b/1", "b/2", "c d+é")]
    expected = sorted((where["Key"], where["UploadId"]) for where in created)
    paginator = s3.get_paginator("list_multipart_uploads")
    pages = list(paginator.paginate(Bucket=bucket, PaginationConfig={"PageSize": 2}))
    found = [(entry["Key"], entry["UploadId"]) for page in pages for entry in page["Uploads"]]
    equal(sorted(found), expected, "uploads")
    equal([key for key, _ in found], sorted(key for key, _ in found), "order")
    some = s3.list_multipart_uploads(Bucket=bucket, Prefix="b/")
    equal([entry["Key"] for entry in some["Uploads"]], ["b/1", "b/2"], "below a prefix")
    folders = s3.list_multipart_uploads(Bucket=bucket, Delimiter="/")
    equal([entry["Prefix"] for entry in folders["CommonPrefixes"]], ["b/"], "prefixes")


@check
def parts_can_be_copied(bucket):
    body = pattern(12 * MIB)
    put(bucket, "from", body)
    where = create(bucket)
    source = {"Bucket": bucket, "Key": "from"}
    parts = []
    for number, (start, end) in enumerate([(MIB, 6 * MIB), (6 * MIB, 12 * MIB)], 1):
        text = f"bytes={start}-{end - 1}"
        copy = {**where, "PartNumber": number, "CopySource": source, "CopySourceRange": text}
        answer = s3.upload_part_copy(**copy)["CopyPartResult"]
        equal(answer["ETag"], f'"{md5(body[start:end])}"', "ETag of a part")
        parts.append(listed(number, answer))
    parts.append(upload(where, 3, b"last"))
    complete(where, parts)
    equal(read(bucket, "key"), body[MIB:] + b"last", "content")


@check
def parts_outside_of_the_source_are_refused(bucket):
    put(bucket, "from", pattern(SMALLEST + 1))
    where = create(bucket)
    copy = {**where, "PartNumber": 1, "CopySource": {"Bucket": bucket, "Key": "from"}}
    beyond = f"bytes=0-{SMALLEST + 1}"
    wrong = ("InvalidArgument", "InvalidRange", "InvalidRequest")
    refused(400, wrong, s3.upload_part_copy, **copy, CopySourceRange=beyond)
    refused(400, wrong, s3.upload_part_copy, **copy, CopySourceRange="bytes=-5")
    absent = {"Bucket": bucket, "Key": "missing"}
    refused(404, "NoSuchKey", s3.upload_part_copy, **{**copy, "CopySource": absent})


@check
def parts_can_be_read_one_by_one(bucket):
    where = create(bucket)
    bodies = [pattern(SMALLEST, 1), b"last"]
    complete(where, [upload(where, n + 1, body) for n, body in enumerate(bodies)])
    here = {"Bucket": bucket, "Key": "key"}
    answer = s3.get_object(**here, PartNumber=2)
    equal(status(answer), 206, "status")
    equal(answer["Body"].read(), b"last", "second part")
    equal(answer["PartsCount"], 2, "PartsCount")
    size = SMALLEST + 4
    equal(answer["ContentRange"], f"bytes {SMALLEST}-{size - 1}/{size}", "ContentRange")
    equal(s3.head_object(**here, PartNumber=1)["ContentLength"], SMALLEST, "first part")
    refused(416, "InvalidPartNumber", s3.get_object, **here, PartNumber=3)


@check
def complete_can_be_repeated(bucket):
    where = create(bucket)
    parts = [upload(where, 1, b"part")]
    first = complete(where, parts)
    equal(complete(where, parts)["ETag"], first["ETag"], "ETag of the second")
    equal(read(bucket, "key"), b"part", "content")


@check
def uploads_side_by_side_do_not_meet(bucket):
    one, two = create(bucket), create(bucket)
    that(one["UploadId"] != two["UploadId"], "both have the same id")
    part_of_one, part_of_two = upload(one, 1, b"one"), upload(two, 1, b"two")
    complete(two, [part_of_two])
    equal(read(bucket, "key"), b"two", "content after the second")
    complete(one, [part_of_one])
    equal(read(bucket, "key"), b"one", "content after the first")


@check
def sizes_are_checked_where_they_are_told(bucket):
    where = create(bucket)
    parts = [upload(where, 1, b"part")]
    refused(400, "InvalidRequest", complete, where=where, parts=parts, MpuObjectSize=5)
    complete(where, parts, MpuObjectSize=4)


if __name__ == "__main__":
    main(fresh_bucket, everything_can_be_removed)
