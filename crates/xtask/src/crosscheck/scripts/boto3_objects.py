"""boto3: objects, their metadata, tags, ranges and keys."""

import datetime
import email.header

from aws import everything_can_be_removed, fresh_bucket, header, keys, put, read, refused, s3, status
from checks import check, equal, main, md5, pattern, that

KEYS = [
    "plain",
    "a//b",
    "//",
    "/leading",
    "trailing/",
    "../x",
    "a/../b",
    "./c",
    "..",
    "spaces and  two",
    " edges ",
    "plus+sign",
    "a%2Fb",
    "100%",
    "question?mark=1&x",
    "hash#tag",
    "semi;colon,comma",
    "quotes\"and'ticks`",
    "<xml>&amp;</xml>",
    "back\\slash",
    "tilde~star*paren()!",
    "curly{}square[]pipe|caret^",
    "ключ/键/🔑",
    "e\u0301 decomposed",
    "\u00e9 composed",
    "control\x01\x02\x1f",
    "newline\nand\ttab",
    "return\rdel\x7f",
    "\ufffe\U0010ffff",
]


@check
def put_and_get_give_back_content_etag_and_times(bucket):
    body = pattern(100_000)
    before = datetime.datetime.now(datetime.timezone.utc)
    written = put(bucket, "key", body)
    equal(written["ETag"], f'"{md5(body)}"', "ETag of put")
    answer = s3.get_object(Bucket=bucket, Key="key")
    equal(answer["Body"].read(), body, "content")
    equal(answer["ContentLength"], len(body), "ContentLength")
    equal(answer["ETag"], written["ETag"], "ETag of get")
    equal(answer["AcceptRanges"], "bytes", "AcceptRanges")
    equal(answer["ContentType"], "binary/octet-stream", "ContentType")
    age = abs((answer["LastModified"] - before).total_seconds())
    that(age < 60, f"LastModified is {age} s away")
    that(answer["ResponseMetadata"].get("RequestId"), "no request id")


@check
def empty_objects_are_objects(bucket):
    written = put(bucket, "empty", b"")
    equal(written["ETag"], f'"{md5(b"")}"', "ETag")
    equal(read(bucket, "empty"), b"", "content")
    equal(s3.head_object(Bucket=bucket, Key="empty")["ContentLength"], 0, "ContentLength")


@check
def head_tells_what_get_tells(bucket):
    put(bucket, "key", b"12345", ContentType="text/plain", Metadata={"a": "b"})
    head = s3.head_object(Bucket=bucket, Key="key")
    get = s3.get_object(Bucket=bucket, Key="key")
    for name in ("ContentLength", "ETag", "LastModified", "ContentType", "Metadata"):
        equal(head[name], get[name], name)
    refused(404, "404", s3.head_object, Bucket=bucket, Key="missing")
    refused(404, "404", s3.head_bucket, Bucket=f"{bucket}-missing")


@check
def put_replaces_everything(bucket):
    put(bucket, "key", b"long content", ContentType="text/plain", Metadata={"a": "b"})
    put(bucket, "key", b"short")
    answer = s3.get_object(Bucket=bucket, Key="key")
    equal(answer["Body"].read(), b"short", "content")
    equal(answer["Metadata"], {}, "metadata")
    equal(answer["ContentType"], "binary/octet-stream", "ContentType")


@check
def missing_keys_and_buckets_differ(bucket):
    error = refused(404, "NoSuchKey", s3.get_object, Bucket=bucket, Key="missing")
    equal(error["Error"]["Key"], "missing", "Key of the error")
    absent = f"{bucket}-missing"
    error = refused(404, "NoSuchBucket", s3.get_object, Bucket=absent, Key="key")
    equal(error["Error"]["BucketName"], absent, "BucketName of the error")
    refused(404, "NoSuchBucket", s3.put_object, Bucket=absent, Key="key", Body=b"")
    refused(404, "NoSuchBucket", s3.list_objects_v2, Bucket=absent)
    refused(404, "NoSuchBucket", s3.delete_object, Bucket=absent, Key="key")


@check
def delete_succeeds_whether_there_is_an_object_or_not(bucket):
    put(bucket, "key")
    equal(status(s3.delete_object(Bucket=bucket, Key="key")), 204, "status")
    refused(404, "NoSuchKey", s3.get_object, Bucket=bucket, Key="key")
    equal(status(s3.delete_object(Bucket=bucket, Key="key")), 204, "status of the second")


@check
def delete_objects_tells_of_each(bucket):
    put(bucket, "a")
    put(bucket, "b/ключ & <x>")
    names = ["a", "b/ключ & <x>", "missing"]
    entries = [{"Key": name} for name in names]
    answer = s3.delete_objects(Bucket=bucket, Delete={"Objects": entries})
    equal(sorted(entry["Key"] for entry in answer["Deleted"]), sorted(names), "deleted")
    that(not answer.get("Errors"), f"errors: {answer.get('Errors')}")
    equal(keys(bucket), [], "what is left")
    quiet = s3.delete_objects(Bucket=bucket, Delete={"Objects": entries, "Quiet": True})
    that(not quiet.get("Deleted"), "a quiet delete tells of successes")
    entries = [{"Key": f"k{n}"} for n in range(1001)]
    refused(400, "MalformedXML", s3.delete_objects, Bucket=bucket, Delete={"Objects": entries})


@check
def content_headers_come_back(bucket):
    headers = {
        "ContentType": "text/html; charset=utf-8",
        "CacheControl": "max-age=60, private",
        "ContentDisposition": 'attachment; filename="a b.html"',
        "ContentEncoding": "identity",
        "ContentLanguage": "de, en",
    }
    when = datetime.datetime(2031, 5, 17, 1, 2, 3, tzinfo=datetime.timezone.utc)
    put(bucket, "key", Expires=when, WebsiteRedirectLocation="/elsewhere", **headers)
    answer = s3.head_object(Bucket=bucket, Key="key")
    for name, value in headers.items():
        equal(answer[name], value, name)
    equal(answer["ExpiresString"], "Sat, 17 May 2031 01:02:03 GMT", "Expires")
    equal(answer["WebsiteRedirectLocation"], "/elsewhere", "WebsiteRedirectLocation")


@check
def metadata_comes_back_in_lower_case(bucket):
    put(bucket, "key", Metadata={"Color": "Blue", "x-y_z": "a  b;c=\"d\"", "empty": ""})
    expected = {"color": "Blue", "x-y_z": "a  b;c=\"d\"", "empty": ""}
    equal(s3.head_object(Bucket=bucket, Key="key")["Metadata"], expected, "metadata")


@check
def metadata_in_unicode_comes_back(bucket):
    text = "Größe: 大きい 🔑"
    encoded = email.header.Header(text, "utf-8", maxlinelen=1000).encode()
    put(bucket, "key", Metadata={"text": encoded})
    found = s3.head_object(Bucket=bucket, Key="key")["Metadata"]["text"]
    decoded = str(email.header.make_header(email.header.decode_header(found)))
    equal(decoded, text, "metadata")


@check
def metadata_above_2_kb_is_refused(bucket):
    put(bucket, "key", Metadata={"k": "v" * 2047})
    large = {"k": "v" * 2048}
    arguments = {"Bucket": bucket, "Key": "key", "Body": b"", "Metadata": large}
    refused(400, "MetadataTooLarge", s3.put_object, **arguments)


@check
def tags_can_be_set_with_put_and_changed(bucket):
    def tags():
        answer = s3.get_object_tagging(Bucket=bucket, Key="key")
        return {tag["Key"]: tag["Value"] for tag in answer["TagSet"]}

    put(bucket, "key", Tagging="a%20b=c%2Bd%3D&empty=&%C3%BC=%E9%94%AE")
    equal(tags(), {"a b": "c+d=", "empty": "", "ü": "键"}, "tags of put")
    equal(s3.get_object(Bucket=bucket, Key="key").get("TagCount"), 3, "TagCount")
    before = s3.head_object(Bucket=bucket, Key="key")
    new = {"TagSet": [{"Key": "x:/@", "Value": "y_.=+-"}]}
    s3.put_object_tagging(Bucket=bucket, Key="key", Tagging=new)
    equal(tags(), {"x:/@": "y_.=+-"}, "new tags")
    after = s3.head_object(Bucket=bucket, Key="key")
    equal(after["ETag"], before["ETag"], "ETag after tagging")
    s3.delete_object_tagging(Bucket=bucket, Key="key")
    equal(tags(), {}, "tags after their deletion")
    refused(404, "NoSuchKey", s3.get_object_tagging, Bucket=bucket, Key="missing")


@check
def wrong_tags_are_refused(bucket):
    put(bucket, "key")

    def tagging(pairs):
        return {"TagSet": [{"Key": key, "Value": value} for key, value in pairs]}

    def set_to(pairs, code):
        where = {"Bucket": bucket, "Key": "key", "Tagging": tagging(pairs)}
        refused(400, code, s3.put_object_tagging, **where)

    set_to([(f"k{n}", "v") for n in range(11)], "BadRequest")
    set_to([("k", "1"), ("k", "2")], "InvalidTag")
    set_to([("k" * 129, "v")], "InvalidTag")
    set_to([("k", "v" * 257)], "InvalidTag")
    equal(s3.get_object_tagging(Bucket=bucket, Key="key")["TagSet"], [], "tags")


@check
def ranges_give_parts(bucket):
    body = pattern(1000)
    put(bucket, "key", body)
    for text, start, end in [
        ("bytes=0-0", 0, 0),
        ("bytes=0-4", 0, 4),
        ("bytes=5-", 5, 999),
        ("bytes=-3", 997, 999),
        ("bytes=990-5000", 990, 999),
        ("bytes=999-999", 999, 999),
        ("bytes=-5000", 0, 999),
    ]:
        answer = s3.get_object(Bucket=bucket, Key="key", Range=text)
        equal(status(answer), 206, f"status of {text}")
        equal(answer["Body"].read(), body[start : end + 1], f"content of {text}")
        equal(answer["ContentRange"], f"bytes {start}-{end}/1000", f"ContentRange of {text}")
        head = s3.head_object(Bucket=bucket, Key="key", Range=text)
        equal(head["ContentLength"], end + 1 - start, f"ContentLength of head of {text}")


@check
def ranges_outside_of_the_object_are_refused(bucket):
    put(bucket, "key", b"12345")
    put(bucket, "empty", b"")
    for key, text in [("key", "bytes=5-"), ("key", "bytes=9-10"), ("key", "bytes=-0"), ("empty", "bytes=0-0")]:
        error = refused(416, "InvalidRange", s3.get_object, Bucket=bucket, Key=key, Range=text)
        equal(error["Error"].get("RangeRequested"), text, "RangeRequested")
    refused(416, "416", s3.head_object, Bucket=bucket, Key="key", Range="bytes=5-")


@check
def ranges_that_mean_nothing_are_ignored(bucket):
    put(bucket, "key", b"12345")
    for text in ["bytes=3-1", "bytes=0-1,3-4", "lines=0-1", "bytes=x-y"]:
        answer = s3.get_object(Bucket=bucket, Key="key", Range=text)
        equal((status(answer), answer["Body"].read()), (200, b"12345"), text)


@check
def copy_keeps_or_replaces_what_it_is_told_to(bucket):
    put(bucket, "from", b"content", ContentType="text/plain", Metadata={"a": "b"}, Tagging="t=1")
    source = {"Bucket": bucket, "Key": "from"}
    copied = s3.copy_object(Bucket=bucket, Key="kept", CopySource=source)
    equal(copied["CopyObjectResult"]["ETag"], f'"{md5(b"content")}"', "ETag")
    head = s3.head_object(Bucket=bucket, Key="kept")
    equal((head["ContentType"], head["Metadata"]), ("text/plain", {"a": "b"}), "kept")
    tags = s3.get_object_tagging(Bucket=bucket, Key="kept")["TagSet"]
    equal(tags, [{"Key": "t", "Value": "1"}], "kept tags")
    s3.copy_object(
        Bucket=bucket, Key="new", CopySource=source, MetadataDirective="REPLACE",
        ContentType="text/html", Metadata={"c": "d"}, TaggingDirective="REPLACE", Tagging="u=2",
    )
    head = s3.head_object(Bucket=bucket, Key="new")
    equal((head["ContentType"], head["Metadata"]), ("text/html", {"c": "d"}), "replaced")
    tags = s3.get_object_tagging(Bucket=bucket, Key="new")["TagSet"]
    equal(tags, [{"Key": "u", "Value": "2"}], "replaced tags")
    equal(read(bucket, "new"), b"content", "content")


@check
def copy_goes_from_bucket_to_bucket(bucket):
    (other,) = fresh_bucket()
    put(bucket, "a/ключ +&", b"content")
    source = {"Bucket": bucket, "Key": "a/ключ +&"}
    s3.copy_object(Bucket=other, Key="key", CopySource=source)
    equal(read(other, "key"), b"content", "content")


@check
def copies_that_cannot_be_are_refused(bucket):
    put(bucket, "key")
    here = {"Bucket": bucket, "Key": "key"}
    refused(400, "InvalidRequest", s3.copy_object, **here, CopySource=here)
    absent = {"Bucket": bucket, "Key": "missing"}
    refused(404, "NoSuchKey", s3.copy_object, **here, CopySource=absent)
    nowhere = {"Bucket": f"{bucket}-missing", "Key": "key"}
    refused(404, "NoSuchBucket", s3.copy_object, **here, CopySource=nowhere)
    s3.copy_object(**here, CopySource=here, MetadataDirective="REPLACE", Metadata={"a": "b"})
    equal(s3.head_object(**here)["Metadata"], {"a": "b"}, "metadata after a copy to itself")


@check
def storage_classes_are_kept_and_told(bucket):
    put(bucket, "ia", StorageClass="STANDARD_IA")
    put(bucket, "standard")
    head = s3.head_object(Bucket=bucket, Key="ia")
    equal(head.get("StorageClass"), "STANDARD_IA", "class")
    that("StorageClass" not in s3.head_object(Bucket=bucket, Key="standard"), "STANDARD is told")
    listed = s3.list_objects_v2(Bucket=bucket)["Contents"]
    found = {entry["Key"]: entry["StorageClass"] for entry in listed}
    equal(found, {"ia": "STANDARD_IA", "standard": "STANDARD"}, "classes in the listing")
    here = {"Bucket": bucket, "Key": "standard"}
    s3.copy_object(**here, CopySource=here, StorageClass="ONEZONE_IA")
    equal(s3.head_object(**here).get("StorageClass"), "ONEZONE_IA", "class after a copy")
    refused(400, "InvalidStorageClass", s3.put_object, **here, Body=b"", StorageClass="FAST")


@check
def get_object_attributes_tells_what_is_asked(bucket):
    put(bucket, "key", b"12345")
    wanted = ["ETag", "ObjectSize", "StorageClass"]
    answer = s3.get_object_attributes(Bucket=bucket, Key="key", ObjectAttributes=wanted)
    equal(answer["ETag"], md5(b"12345"), "ETag")
    equal(answer["ObjectSize"], 5, "ObjectSize")
    equal(answer["StorageClass"], "STANDARD", "StorageClass")


@check
def keys_are_bytes(bucket):
    for n, key in enumerate(KEYS):
        put(bucket, key, str(n).encode())
    for n, key in enumerate(KEYS):
        equal(read(bucket, key), str(n).encode(), f"content of {key!r}")
        equal(s3.head_object(Bucket=bucket, Key=key)["ContentLength"], len(str(n)), repr(key))
    equal(keys(bucket), sorted(KEYS, key=lambda key: key.encode()), "listing")


@check
def special_keys_can_be_copied_and_deleted(bucket):
    for key in KEYS:
        put(bucket, key, key.encode())
        source = {"Bucket": bucket, "Key": key}
        s3.copy_object(Bucket=bucket, Key=f"copy of {key}", CopySource=source)
        s3.delete_object(Bucket=bucket, Key=key)
    copies = sorted((f"copy of {key}" for key in KEYS), key=str.encode)
    equal(keys(bucket), copies, "copies")
    for start in range(0, len(copies), 10):
        some = [{"Key": key} for key in copies[start : start + 10]]
        # Characters that XML cannot carry cannot be deleted in bulk.
        some = [entry for entry in some if entry["Key"].isprintable()]
        answer = s3.delete_objects(Bucket=bucket, Delete={"Objects": some})
        that(not answer.get("Errors"), f"errors: {answer.get('Errors')}")
    equal(keys(bucket), [key for key in copies if not key.isprintable()], "what is left")


@check
def keys_are_at_most_1024_bytes(bucket):
    put(bucket, "k" * 1024)
    put(bucket, "é" * 512)
    arguments = {"Bucket": bucket, "Body": b""}
    refused(400, "KeyTooLongError", s3.put_object, Key="k" * 1025, **arguments)
    refused(400, "KeyTooLongError", s3.put_object, Key="é" * 512 + "k", **arguments)


@check
def answers_have_no_content_coding_of_their_own(bucket):
    put(bucket, "key", b"x" * 10_000)
    answer = s3.get_object(Bucket=bucket, Key="key")
    equal(header(answer, "content-length"), "10000", "content-length")
    that(header(answer, "content-encoding") is None, "content-encoding is set")


if __name__ == "__main__":
    main(fresh_bucket, everything_can_be_removed)
