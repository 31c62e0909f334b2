"""boto3 clients for the server under check, and what is asked of its errors."""

import contextlib
import datetime
from unittest import mock

import boto3
import botocore.exceptions
from botocore import UNSIGNED
from botocore.config import Config

import checks

# Answers are judged as they come, so nothing is sent twice.
DEFAULTS = {
    "retries": {"total_max_attempts": 1},
    "connect_timeout": 10,
    "read_timeout": 60,
    "signature_version": "s3v4",
    "max_pool_connections": 32,
}


def client(
    service="s3",
    *,
    endpoint=None,
    access_key=checks.ACCESS_KEY,
    secret_key=checks.SECRET_KEY,
    token=None,
    region=checks.REGION,
    verify=None,
    style="path",
    **config,
):
    """A client with credentials of its own, which reads no environment and no profile."""
    session = boto3.session.Session(
        aws_access_key_id=access_key,
        aws_secret_access_key=secret_key,
        aws_session_token=token,
        region_name=region,
    )
    options = {**DEFAULTS, "s3": {"addressing_style": style}, **config}
    if service != "s3":
        options["signature_version"] = "v4"
    return session.client(
        service,
        endpoint_url=endpoint or checks.ENDPOINT,
        verify=verify,
        config=Config(**options),
    )


def anonymous():
    """A client that does not sign."""
    return client(signature_version=UNSIGNED)


@contextlib.contextmanager
def clock(seconds):
    """Lets botocore sign with a clock that is so many seconds away from the true one."""

    def time(remove_tzinfo=True):
        now = datetime.datetime.now(datetime.timezone.utc) + datetime.timedelta(seconds=seconds)
        return now.replace(tzinfo=None) if remove_tzinfo else now

    with contextlib.ExitStack() as stack:
        for module in ("auth", "crt.auth", "signers"):
            stack.enter_context(mock.patch(f"botocore.{module}.get_current_datetime", time))
        yield


s3 = client()

_buckets = []


def fresh_bucket():
    """A bucket for one check."""
    name = checks.bucket_name()
    s3.create_bucket(Bucket=name)
    _buckets.append(name)
    return (name,)


def everything_can_be_removed():
    """Empties and deletes the buckets of all checks."""
    for name in _buckets:
        empty(name)
        s3.delete_bucket(Bucket=name)


def empty(name):
    """Deletes all versions and aborts all uploads."""
    for page in s3.get_paginator("list_multipart_uploads").paginate(Bucket=name):
        for upload in page.get("Uploads", []):
            s3.abort_multipart_upload(Bucket=name, Key=upload["Key"], UploadId=upload["UploadId"])
    for page in s3.get_paginator("list_object_versions").paginate(Bucket=name):
        found = page.get("Versions", []) + page.get("DeleteMarkers", [])
        for version in found:
            s3.delete_object(Bucket=name, Key=version["Key"], VersionId=version["VersionId"])


def refused(status, code, call, **arguments):
    """Makes a call that has to fail, and returns the error's answer. `code` may be several."""
    try:
        call(**arguments)
    except botocore.exceptions.ClientError as error:
        answer = error.response
    else:
        raise AssertionError(f"not refused, where {code} was expected")
    codes = code if isinstance(code, tuple) else (code,)
    found = (answer["ResponseMetadata"]["HTTPStatusCode"], answer["Error"]["Code"])
    if found[0] != status or found[1] not in codes:
        message = answer["Error"].get("Message", "")
        raise AssertionError(f"{found} instead of {(status, code)}: {message}")
    return answer


def status(answer):
    return answer["ResponseMetadata"]["HTTPStatusCode"]


def header(answer, name):
    return answer["ResponseMetadata"]["HTTPHeaders"].get(name)


def read(bucket, key, **arguments):
    """The content of an object."""
    return s3.get_object(Bucket=bucket, Key=key, **arguments)["Body"].read()


def put(bucket, key, body=b"content", **arguments):
    return s3.put_object(Bucket=bucket, Key=key, Body=body, **arguments)


def keys(bucket, **arguments):
    """All keys of a bucket, in the order of the listing."""
    pages = s3.get_paginator("list_objects_v2").paginate(Bucket=bucket, **arguments)
    return [entry["Key"] for page in pages for entry in page.get("Contents", [])]
