"""boto3: conditions of reads, writes, copies, uploads and deletes."""

import datetime
from concurrent.futures import ThreadPoolExecutor

import botocore.exceptions

from aws import everything_can_be_removed, fresh_bucket, put, read, refused, s3, status
from checks import check, equal, main, that

OTHER = '"0123456789abcdef0123456789abcdef"'
FAILED = (412, "PreconditionFailed")
HOUR = datetime.timedelta(hours=1)


@check
def get_if_match(bucket):
    etag = put(bucket, "key")["ETag"]
    here = {"Bucket": bucket, "Key": "key"}
    for condition in (etag, etag.strip('"')):
        equal(status(s3.get_object(**here, IfMatch=condition)), 200, condition)
    error = refused(*FAILED, s3.get_object, **here, IfMatch=OTHER)
    equal(error["Error"].get("Condition"), "If-Match", "Condition")
    refused(404, "NoSuchKey", s3.get_object, Bucket=bucket, Key="missing", IfMatch=etag)


@check
def get_if_none_match(bucket):
    etag = put(bucket, "key")["ETag"]
    here = {"Bucket": bucket, "Key": "key"}
    equal(status(s3.get_object(**here, IfNoneMatch=OTHER)), 200, "status")
    refused(304, "304", s3.get_object, **here, IfNoneMatch=etag)


@check
def get_if_modified(bucket):
    put(bucket, "key")
    here = {"Bucket": bucket, "Key": "key"}
    time = s3.head_object(**here)["LastModified"]
    refused(304, "304", s3.get_object, **here, IfModifiedSince=time)
    equal(status(s3.get_object(**here, IfModifiedSince=time - HOUR)), 200, "modified since")
    refused(*FAILED, s3.get_object, **here, IfUnmodifiedSince=time - HOUR)
    equal(status(s3.get_object(**here, IfUnmodifiedSince=time)), 200, "unmodified since")


@check
def etags_outweigh_dates(bucket):
    etag = put(bucket, "key")["ETag"]
    here = {"Bucket": bucket, "Key": "key"}
    past = s3.head_object(**here)["LastModified"] - HOUR
    answer = s3.get_object(**here, IfMatch=etag, IfUnmodifiedSince=past)
    equal(status(answer), 200, "If-Match holds, If-Unmodified-Since does not")
    refused(304, "304", s3.get_object, **here, IfNoneMatch=etag, IfModifiedSince=past)


@check
def head_conditions(bucket):
    etag = put(bucket, "key")["ETag"]
    here = {"Bucket": bucket, "Key": "key"}
    equal(status(s3.head_object(**here, IfMatch=etag)), 200, "status")
    refused(412, "412", s3.head_object, **here, IfMatch=OTHER)
    refused(304, "304", s3.head_object, **here, IfNoneMatch=etag)


@check
def put_if_absent(bucket):
    put(bucket, "key", b"first", IfNoneMatch="*")
    here = {"Bucket": bucket, "Key": "key", "Body": b"second"}
    error = refused(*FAILED, s3.put_object, **here, IfNoneMatch="*")
    equal(error["Error"].get("Condition"), "If-None-Match", "Condition")
    equal(read(bucket, "key"), b"first", "content")
    s3.delete_object(Bucket=bucket, Key="key")
    put(bucket, "key", b"third", IfNoneMatch="*")


@check
def put_if_match(bucket):
    etag = put(bucket, "key", b"first")["ETag"]
    here = {"Bucket": bucket, "Key": "key", "Body": b"second"}
    refused(*FAILED, s3.put_object, **here, IfMatch=OTHER)
    equal(read(bucket, "key"), b"first", "content after a refusal")
    new = s3.put_object(**here, IfMatch=etag)["ETag"]
    refused(*FAILED, s3.put_object, **here, IfMatch=etag)
    s3.put_object(**here, IfMatch=new)
    absent = {"Bucket": bucket, "Key": "missing", "Body": b""}
    refused(404, "NoSuchKey", s3.put_object, **absent, IfMatch=etag)


@check
def put_if_none_match_knows_no_etags(bucket):
    here = {"Bucket": bucket, "Key": "key", "Body": b""}
    refused(501, "NotImplemented", s3.put_object, **here, IfNoneMatch=OTHER)


@check
def one_of_many_creates(bucket):
    def create(n):
        try:
            put(bucket, "key", str(n).encode() * 1000, IfNoneMatch="*")
        except botocore.exceptions.ClientError as error:
            code = error.response["Error"]["Code"]
            that(code in ("PreconditionFailed", "ConditionalRequestConflict"), code)
            return None
        return n

    for _ in range(5):
        with ThreadPoolExecutor(8) as pool:
            winners = [n for n in pool.map(create, range(8)) if n is not None]
        equal(len(winners), 1, "winners")
        equal(read(bucket, "key"), str(winners[0]).encode() * 1000, "content")
        s3.delete_object(Bucket=bucket, Key="key")


@check
def one_of_many_replaces(bucket):
    etag = put(bucket, "key", b"start")["ETag"]

    def replace(n):
        try:
            put(bucket, "key", str(n).encode() * 1000, IfMatch=etag)
        except botocore.exceptions.ClientError as error:
            code = error.response["Error"]["Code"]
            that(code in ("PreconditionFailed", "ConditionalRequestConflict"), code)
            return None
        return n

    with ThreadPoolExecutor(8) as pool:
        winners = [n for n in pool.map(replace, range(8)) if n is not None]
    equal(len(winners), 1, "winners")
    equal(read(bucket, "key"), str(winners[0]).encode() * 1000, "content")


def uploaded(bucket, body):
    """An upload of one part, ready to be completed."""
    here = {"Bucket": bucket, "Key": "key"}
    upload = s3.create_multipart_upload(**here)["UploadId"]
    part = s3.upload_part(**here, UploadId=upload, PartNumber=1, Body=body)
    told = {name: value for name, value in part.items() if name.startswith("Checksum")}
    told.pop("ChecksumType", None)
    parts = [{"PartNumber": 1, "ETag": part["ETag"], **told}]
    return {**here, "UploadId": upload, "MultipartUpload": {"Parts": parts}}


@check
def complete_if_absent(bucket):
    s3.complete_multipart_upload(**uploaded(bucket, b"first"), IfNoneMatch="*")
    second = uploaded(bucket, b"second")
    refused(*FAILED, s3.complete_multipart_upload, **second, IfNoneMatch="*")
    equal(read(bucket, "key"), b"first", "content")


@check
def complete_if_match(bucket):
    etag = put(bucket, "key", b"first")["ETag"]
    refused(*FAILED, s3.complete_multipart_upload, **uploaded(bucket, b"second"), IfMatch=OTHER)
    equal(read(bucket, "key"), b"first", "content after a refusal")
    s3.complete_multipart_upload(**uploaded(bucket, b"third"), IfMatch=etag)
    equal(read(bucket, "key"), b"third", "content")
    s3.delete_object(Bucket=bucket, Key="key")
    last = uploaded(bucket, b"last")
    refused(404, "NoSuchKey", s3.complete_multipart_upload, **last, IfMatch=etag)


@check
def copy_if_the_source_is_so(bucket):
    etag = put(bucket, "from")["ETag"]
    time = s3.head_object(Bucket=bucket, Key="from")["LastModified"]
    copy = {"Bucket": bucket, "Key": "to", "CopySource": {"Bucket": bucket, "Key": "from"}}
    refused(*FAILED, s3.copy_object, **copy, CopySourceIfMatch=OTHER)
    refused(*FAILED, s3.copy_object, **copy, CopySourceIfNoneMatch=etag)
    refused(*FAILED, s3.copy_object, **copy, CopySourceIfModifiedSince=time)
    refused(*FAILED, s3.copy_object, **copy, CopySourceIfUnmodifiedSince=time - HOUR)
    refused(404, "404", s3.head_object, Bucket=bucket, Key="to")
    s3.copy_object(**copy, CopySourceIfMatch=etag)
    s3.copy_object(**copy, CopySourceIfNoneMatch=OTHER)
    s3.copy_object(**copy, CopySourceIfModifiedSince=time - HOUR)
    s3.copy_object(**copy, CopySourceIfUnmodifiedSince=time)


@check
def copy_if_the_target_is_so(bucket):
    put(bucket, "from", b"content")
    copy = {"Bucket": bucket, "Key": "to", "CopySource": {"Bucket": bucket, "Key": "from"}}
    s3.copy_object(**copy, IfNoneMatch="*")
    etag = put(bucket, "to", b"other")["ETag"]
    refused(*FAILED, s3.copy_object, **copy, IfNoneMatch="*")
    refused(*FAILED, s3.copy_object, **copy, IfMatch=OTHER)
    equal(read(bucket, "to"), b"other", "content after refusals")
    s3.copy_object(**copy, IfMatch=etag)
    equal(read(bucket, "to"), b"content", "content")


@check
def delete_if_match(bucket):
    here = {"Bucket": bucket, "Key": "key"}
    etag = put(bucket, "key")["ETag"]
    refused(*FAILED, s3.delete_object, **here, IfMatch=OTHER)
    equal(read(bucket, "key"), b"content", "content after a refusal")
    s3.delete_object(**here, IfMatch=etag)
    refused(404, "404", s3.head_object, **here)
    put(bucket, "key")
    s3.delete_object(**here, IfMatch="*")
    refused(404, "404", s3.head_object, **here)


@check
def delete_objects_if_match(bucket):
    for key in "ab":
        put(bucket, key, key.encode())
    etag = s3.head_object(Bucket=bucket, Key="a")["ETag"]
    entries = [{"Key": "a", "ETag": etag}, {"Key": "b", "ETag": OTHER}]
    answer = s3.delete_objects(Bucket=bucket, Delete={"Objects": entries})
    equal([entry["Key"] for entry in answer.get("Deleted", [])], ["a"], "deleted")
    errors = [(entry["Key"], entry["Code"]) for entry in answer.get("Errors", [])]
    equal(errors, [("b", "PreconditionFailed")], "errors")


@check
def part_copy_if_the_source_is_so(bucket):
    etag = put(bucket, "from")["ETag"]
    here = {"Bucket": bucket, "Key": "to"}
    upload = s3.create_multipart_upload(**here)["UploadId"]
    copy = {**here, "UploadId": upload, "PartNumber": 1}
    copy["CopySource"] = {"Bucket": bucket, "Key": "from"}
    refused(*FAILED, s3.upload_part_copy, **copy, CopySourceIfMatch=OTHER)
    refused(*FAILED, s3.upload_part_copy, **copy, CopySourceIfNoneMatch=etag)
    s3.upload_part_copy(**copy, CopySourceIfMatch=etag)


if __name__ == "__main__":
    main(fresh_bucket, everything_can_be_removed)
