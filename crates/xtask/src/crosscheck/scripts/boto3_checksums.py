"""boto3: checksums in headers and behind bodies, right ones and wrong ones."""

import base64
import hashlib
import io
import zlib

import awscrt.checksums
import botocore.httpchecksum

import aws
from aws import everything_can_be_removed, fresh_bucket, header, put, read, refused, s3
from checks import ENDPOINT, MIB, check, equal, main, md5, pattern, that
from tls import Front

BODY = pattern(100_000)
FRONT = Front(ENDPOINT)


def text(data):
    return base64.b64encode(data).decode()


CHECKSUMS = {
    "CRC32": lambda data: text(zlib.crc32(data).to_bytes(4, "big")),
    "CRC32C": lambda data: text(awscrt.checksums.crc32c(data).to_bytes(4, "big")),
    "CRC64NVME": lambda data: text(awscrt.checksums.crc64nvme(data).to_bytes(8, "big")),
    "SHA1": lambda data: text(hashlib.sha1(data).digest()),
    "SHA256": lambda data: text(hashlib.sha256(data).digest()),
}


def over_tls():
    return aws.client(endpoint=FRONT.endpoint, verify=FRONT.authority)


def sent(client, operation):
    """The headers of the requests that a client sends from now on."""
    headers = []

    def keep(request, **_):
        headers.append({name.lower(): value for name, value in request.headers.items()})

    client.meta.events.register(f"before-send.s3.{operation}", keep)
    return headers


@check
def right_checksums_are_kept_and_told(bucket):
    for name, checksum in CHECKSUMS.items():
        field = f"Checksum{name}"
        here = {"Bucket": bucket, "Key": name}
        written = s3.put_object(**here, Body=BODY, **{field: checksum(BODY)})
        equal(written.get(field), checksum(BODY), f"{name} of put")
        for call in (s3.get_object, s3.head_object):
            answer = call(**here, ChecksumMode="ENABLED")
            equal(answer.get(field), checksum(BODY), f"{name} of {call.__name__}")
            equal(answer.get("ChecksumType"), "FULL_OBJECT", "ChecksumType")
        quiet = aws.client(response_checksum_validation="when_required")
        that(field not in quiet.get_object(**here), f"{name} is told without being asked for")


@check
def clients_can_leave_the_computing_to_themselves(bucket):
    for name, checksum in CHECKSUMS.items():
        here = {"Bucket": bucket, "Key": name}
        written = s3.put_object(**here, Body=BODY, ChecksumAlgorithm=name)
        equal(written.get(f"Checksum{name}"), checksum(BODY), name)


@check
def wrong_checksums_are_refused(bucket):
    for name, checksum in CHECKSUMS.items():
        here = {"Bucket": bucket, "Key": name, "Body": BODY}
        wrong = {f"Checksum{name}": checksum(BODY + b"!")}
        refused(400, "BadDigest", s3.put_object, **here, **wrong)
        refused(404, "404", s3.head_object, Bucket=bucket, Key=name)


@check
def malformed_checksums_are_refused(bucket):
    here = {"Bucket": bucket, "Key": "key", "Body": BODY}
    refused(400, "InvalidRequest", s3.put_object, **here, ChecksumCRC32="AAAA")
    refused(400, "InvalidRequest", s3.put_object, **here, ChecksumSHA256="not base64!")


@check
def content_md5_is_checked(bucket):
    here = {"Bucket": bucket, "Key": "key", "Body": BODY}
    wrong = text(hashlib.md5(b"other").digest())
    refused(400, "BadDigest", s3.put_object, **here, ContentMD5=wrong)
    refused(400, "InvalidDigest", s3.put_object, **here, ContentMD5="AAAA")
    refused(404, "404", s3.head_object, Bucket=bucket, Key="key")
    s3.put_object(**here, ContentMD5=text(hashlib.md5(BODY).digest()))


@check
def by_default_clients_send_crc32_in_front_of_the_body(bucket):
    client = aws.client()
    headers = sent(client, "PutObject")
    written = client.put_object(Bucket=bucket, Key="key", Body=BODY)
    expected = CHECKSUMS["CRC32"](BODY)
    equal(headers[0].get("x-amz-checksum-crc32"), expected.encode(), "what was sent")
    equal(written.get("ChecksumCRC32"), expected, "checksum")


@check
def by_default_clients_send_crc32_behind_the_body_over_tls(bucket):
    client = over_tls()
    headers = sent(client, "PutObject")
    written = client.put_object(Bucket=bucket, Key="key", Body=io.BytesIO(BODY))
    equal(headers[0].get("x-amz-trailer"), b"x-amz-checksum-crc32", "what was sent")
    equal(written.get("ChecksumCRC32"), CHECKSUMS["CRC32"](BODY), "checksum")
    answer = client.get_object(Bucket=bucket, Key="key")
    equal(answer["Body"].read(), BODY, "content")
    that(header(answer, "content-encoding") is None, "the framing is told as a coding")
    equal(written["ETag"], f'"{md5(BODY)}"', "ETag")


@check
def checksums_behind_the_body_are_kept(bucket):
    client = over_tls()
    for name, checksum in CHECKSUMS.items():
        here = {"Bucket": bucket, "Key": name}
        arguments = {**here, "Body": io.BytesIO(BODY), "ContentEncoding": "gzip"}
        written = client.put_object(**arguments, ChecksumAlgorithm=name)
        equal(written.get(f"Checksum{name}"), checksum(BODY), name)
        answer = s3.get_object(**here)
        equal(answer["Body"].read(), BODY, "content")
        equal(answer.get("ContentEncoding"), "gzip", "ContentEncoding")


@check
def empty_bodies_have_checksums_behind_them(bucket):
    written = over_tls().put_object(Bucket=bucket, Key="key", Body=io.BytesIO(b""))
    equal(written.get("ChecksumCRC32"), CHECKSUMS["CRC32"](b""), "checksum")
    equal(read(bucket, "key"), b"", "content")


@check
def wrong_checksums_behind_the_body_are_refused(bucket):
    classes = botocore.httpchecksum._CHECKSUM_CLS
    for name in ("crc32", "crc32c", "crc64nvme", "sha256"):
        right = classes[name]

        class Wrong(right):
            def digest(self):
                return bytes(byte ^ 1 for byte in super().digest())

        classes[name] = Wrong
        try:
            arguments = {"Bucket": bucket, "Key": name, "Body": io.BytesIO(BODY)}
            algorithm = {"ChecksumAlgorithm": name.upper()}
            refused(400, "BadDigest", over_tls().put_object, **arguments, **algorithm)
        finally:
            classes[name] = right
        refused(404, "404", s3.head_object, Bucket=bucket, Key=name)


@check
def bodies_that_do_not_match_their_signature_are_refused(bucket):
    client = aws.client(request_checksum_calculation="when_required")

    def replace(request, **_):
        request.body = b"other!!"

    client.meta.events.register_last("before-send.s3.PutObject", replace)
    arguments = {"Bucket": bucket, "Key": "key", "Body": b"content"}
    refused(400, "XAmzContentSHA256Mismatch", client.put_object, **arguments)
    refused(404, "404", s3.head_object, Bucket=bucket, Key="key")


def parts_of(bucket, key, algorithm, kind, bodies):
    """Uploads parts, and returns where and what they are."""
    where = {"Bucket": bucket, "Key": key}
    created = s3.create_multipart_upload(**where, ChecksumAlgorithm=algorithm, ChecksumType=kind)
    equal(created.get("ChecksumType"), kind, "ChecksumType of the upload")
    where["UploadId"] = created["UploadId"]
    field = f"Checksum{algorithm}"
    parts = []
    for number, body in enumerate(bodies, 1):
        part = s3.upload_part(**where, PartNumber=number, Body=body, ChecksumAlgorithm=algorithm)
        equal(part.get(field), CHECKSUMS[algorithm](body), f"{algorithm} of part {number}")
        parts.append({"PartNumber": number, "ETag": part["ETag"], field: part[field]})
    return where, parts


BODIES = [pattern(5 * MIB, 1), b"last"]


@check
def checksums_of_parts_are_composed(bucket):
    for name in ("CRC32", "CRC32C", "SHA1", "SHA256"):
        where, parts = parts_of(bucket, name, name, "COMPOSITE", BODIES)
        done = s3.complete_multipart_upload(**where, MultipartUpload={"Parts": parts})
        digests = b"".join(base64.b64decode(CHECKSUMS[name](body)) for body in BODIES)
        expected = f"{CHECKSUMS[name](digests)}-2"
        equal(done.get(f"Checksum{name}"), expected, name)
        head = s3.head_object(Bucket=bucket, Key=name, ChecksumMode="ENABLED")
        equal(head.get(f"Checksum{name}"), expected, f"{name} of head")
        equal(head.get("ChecksumType"), "COMPOSITE", "ChecksumType")


@check
def checksums_of_whole_objects_are_put_together(bucket):
    whole = b"".join(BODIES)
    for name in ("CRC32", "CRC32C", "CRC64NVME"):
        where, parts = parts_of(bucket, name, name, "FULL_OBJECT", BODIES)
        expected = CHECKSUMS[name](whole)
        arguments = {**where, "MultipartUpload": {"Parts": parts}, "ChecksumType": "FULL_OBJECT"}
        wrong = {f"Checksum{name}": CHECKSUMS[name](b"other")}
        refused(400, "BadDigest", s3.complete_multipart_upload, **arguments, **wrong)
        done = s3.complete_multipart_upload(**arguments, **{f"Checksum{name}": expected})
        equal(done.get(f"Checksum{name}"), expected, name)
        head = s3.head_object(Bucket=bucket, Key=name, ChecksumMode="ENABLED")
        equal(head.get(f"Checksum{name}"), expected, f"{name} of head")


@check
def parts_with_wrong_checksums_are_refused(bucket):
    where, parts = parts_of(bucket, "key", "CRC32C", "COMPOSITE", BODIES)
    wrong = {"ChecksumCRC32C": CHECKSUMS["CRC32C"](b"other")}
    arguments = {**where, "PartNumber": 2, "Body": b"last"}
    refused(400, "BadDigest", s3.upload_part, **arguments, **wrong)
    changed = [parts[0], {**parts[1], **wrong}]
    complete = {**where, "MultipartUpload": {"Parts": changed}}
    refused(400, "InvalidPart", s3.complete_multipart_upload, **complete)
    s3.complete_multipart_upload(**where, MultipartUpload={"Parts": parts})


@check
def attributes_tell_checksums_and_parts(bucket):
    where, parts = parts_of(bucket, "key", "SHA256", "COMPOSITE", BODIES)
    s3.complete_multipart_upload(**where, MultipartUpload={"Parts": parts})
    wanted = ["Checksum", "ObjectParts", "ObjectSize"]
    answer = s3.get_object_attributes(Bucket=bucket, Key="key", ObjectAttributes=wanted)
    digests = b"".join(hashlib.sha256(body).digest() for body in BODIES)
    told = answer["Checksum"]["ChecksumSHA256"].removesuffix("-2")
    equal(told, CHECKSUMS["SHA256"](digests), "checksum")
    equal(answer["ObjectParts"]["TotalPartsCount"], 2, "TotalPartsCount")
    sizes = [part["Size"] for part in answer["ObjectParts"]["Parts"]]
    equal(sizes, [len(body) for body in BODIES], "sizes")
    equal(answer["ObjectSize"], sum(sizes), "ObjectSize")


@check
def copies_keep_or_change_the_checksum(bucket):
    put(bucket, "from", BODY, ChecksumAlgorithm="SHA256")
    source = {"Bucket": bucket, "Key": "from"}
    copied = s3.copy_object(Bucket=bucket, Key="kept", CopySource=source)
    expected = CHECKSUMS["SHA256"](BODY)
    equal(copied["CopyObjectResult"].get("ChecksumSHA256"), expected, "kept")
    algorithm = {"ChecksumAlgorithm": "CRC32C"}
    copied = s3.copy_object(Bucket=bucket, Key="new", CopySource=source, **algorithm)
    expected = CHECKSUMS["CRC32C"](BODY)
    equal(copied["CopyObjectResult"].get("ChecksumCRC32C"), expected, "new")


@check
def clients_verify_what_they_read(bucket):
    put(bucket, "key", BODY, ChecksumAlgorithm="CRC64NVME")
    answer = aws.client().get_object(Bucket=bucket, Key="key", ChecksumMode="ENABLED")
    that("StreamingChecksumBody" in type(answer["Body"]).__name__, "nothing is verified")
    equal(answer["Body"].read(), BODY, "content")
    part = s3.get_object(Bucket=bucket, Key="key", Range="bytes=0-9", ChecksumMode="ENABLED")
    equal(part["Body"].read(), BODY[:10], "range")


if __name__ == "__main__":
    main(fresh_bucket, everything_can_be_removed)
