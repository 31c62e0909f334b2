"""boto3: waiters, and the transfer manager with large content in parts side by side."""

import io
import threading

import botocore.exceptions
from boto3.s3.transfer import TransferConfig

from aws import client, everything_can_be_removed, fresh_bucket, put, read, s3
from checks import MIB, Folder, bucket_name, check, equal, main, md5, pattern, that

LARGE = pattern(64 * MIB)
PARTS = TransferConfig(
    multipart_threshold=8 * MIB, multipart_chunksize=8 * MIB, max_concurrency=8
)
QUICK = {"Delay": 1, "MaxAttempts": 20}


def soon(action):
    """Does something while a waiter waits."""
    timer = threading.Timer(0.5, action)
    timer.start()
    return timer


@check
def waiters_see_buckets_come_and_go(_bucket):
    name = bucket_name()
    timer = soon(lambda: s3.create_bucket(Bucket=name))
    s3.get_waiter("bucket_exists").wait(Bucket=name, WaiterConfig=QUICK)
    timer.join()
    timer = soon(lambda: s3.delete_bucket(Bucket=name))
    s3.get_waiter("bucket_not_exists").wait(Bucket=name, WaiterConfig=QUICK)
    timer.join()


@check
def waiters_see_objects_come_and_go(bucket):
    here = {"Bucket": bucket, "Key": "key"}
    timer = soon(lambda: put(bucket, "key"))
    s3.get_waiter("object_exists").wait(**here, WaiterConfig=QUICK)
    timer.join()
    timer = soon(lambda: s3.delete_object(**here))
    s3.get_waiter("object_not_exists").wait(**here, WaiterConfig=QUICK)
    timer.join()


@check
def waiters_give_up(bucket):
    here = {"Bucket": bucket, "Key": "missing", "WaiterConfig": {"Delay": 1, "MaxAttempts": 2}}
    try:
        s3.get_waiter("object_exists").wait(**here)
    except botocore.exceptions.WaiterError as error:
        that("Max attempts exceeded" in str(error), str(error))
    else:
        raise AssertionError("it found what is not there")


@check
def large_content_goes_up_and_down_in_parts(bucket):
    moved = []
    attributes = {"ContentType": "text/plain", "Metadata": {"a": "b"}}
    s3.upload_fileobj(
        io.BytesIO(LARGE), bucket, "key", ExtraArgs=attributes, Callback=moved.append, Config=PARTS
    )
    equal(sum(moved), len(LARGE), "bytes told to the callback")
    head = s3.head_object(Bucket=bucket, Key="key")
    equal(head["ContentLength"], len(LARGE), "ContentLength")
    that(head["ETag"].endswith('-8"'), f"ETag {head['ETag']}")
    equal((head["ContentType"], head["Metadata"]), ("text/plain", {"a": "b"}), "attributes")
    target = io.BytesIO()
    s3.download_fileobj(bucket, "key", target, Config=PARTS)
    equal(md5(target.getvalue()), md5(LARGE), "MD5 of what came down")


class Stream(io.RawIOBase):
    """Content that cannot be read twice, and whose length is not known."""

    def __init__(self, content):
        self._content = io.BytesIO(content)

    def readable(self):
        return True

    def read(self, size=-1):
        return self._content.read(size)


@check
def streams_of_unknown_length_go_up_in_parts(bucket):
    content = LARGE[: 20 * MIB + 1]
    s3.upload_fileobj(Stream(content), bucket, "key", Config=PARTS)
    equal(md5(read(bucket, "key")), md5(content), "MD5")


@check
def small_content_goes_up_at_once(bucket):
    s3.upload_fileobj(io.BytesIO(b"small"), bucket, "key", Config=PARTS)
    equal(s3.head_object(Bucket=bucket, Key="key")["ETag"], f'"{md5(b"small")}"', "ETag")
    s3.upload_fileobj(io.BytesIO(b""), bucket, "empty", Config=PARTS)
    equal(read(bucket, "empty"), b"", "empty")


@check
def files_go_up_and_down(bucket):
    folder = Folder()
    try:
        content = LARGE[: 17 * MIB]
        source = folder.file("source", content)
        s3.upload_file(source, bucket, "a b/ключ", Config=PARTS)
        s3.download_file(bucket, "a b/ключ", f"{folder.path}/target", Config=PARTS)
        equal(md5(folder.read("target")), md5(content), "MD5")
    finally:
        folder.remove()


@check
def checksums_of_transfers_are_chosen(bucket):
    for algorithm in ("CRC32C", "CRC64NVME", "SHA256"):
        extra = {"ChecksumAlgorithm": algorithm}
        content = io.BytesIO(LARGE[: 16 * MIB])
        s3.upload_fileobj(content, bucket, algorithm, ExtraArgs=extra, Config=PARTS)
        head = s3.head_object(Bucket=bucket, Key=algorithm, ChecksumMode="ENABLED")
        that(head.get(f"Checksum{algorithm}"), f"no {algorithm}")
        equal(md5(read(bucket, algorithm)), md5(LARGE[: 16 * MIB]), "MD5")


@check
def copies_are_made_in_parts(bucket):
    content = LARGE[: 21 * MIB]
    put(bucket, "from +é", content, Metadata={"a": "b"}, ContentType="text/plain")
    s3.copy({"Bucket": bucket, "Key": "from +é"}, bucket, "to", Config=PARTS)
    head = s3.head_object(Bucket=bucket, Key="to")
    that(head["ETag"].endswith('-3"'), f"ETag {head['ETag']}")
    equal(md5(read(bucket, "to")), md5(content), "MD5")


@check
def uploads_that_fail_are_aborted(bucket):
    class Broken(Stream):
        def read(self, size=-1):
            if self._content.tell() > 12 * MIB:
                raise OSError("broken on purpose")
            return super().read(size)

    try:
        s3.upload_fileobj(Broken(LARGE), bucket, "key", Config=PARTS)
    except OSError:
        pass
    else:
        raise AssertionError("the upload did not fail")
    that(not s3.list_multipart_uploads(Bucket=bucket).get("Uploads"), "an upload is left")


@check
def many_objects_go_up_and_down_side_by_side(bucket):
    from concurrent.futures import ThreadPoolExecutor

    own = client()

    def there_and_back(n):
        content = pattern(10_000 + n, n)
        own.put_object(Bucket=bucket, Key=f"k{n}", Body=content)
        return own.get_object(Bucket=bucket, Key=f"k{n}")["Body"].read() == content

    with ThreadPoolExecutor(16) as pool:
        that(all(pool.map(there_and_back, range(200))), "content differs")


if __name__ == "__main__":
    main(fresh_bucket, everything_can_be_removed)
