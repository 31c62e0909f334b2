"""obstore: the Rust crate object_store, as Python sees it."""

import asyncio
import datetime
import urllib.request

import obstore
from obstore.exceptions import AlreadyExistsError, BaseError, PreconditionError
from obstore.store import S3Store

from aws import everything_can_be_removed, fresh_bucket, keys, read, s3
from checks import ACCESS_KEY, ENDPOINT, MIB, REGION, SECRET_KEY, check, equal, main, md5, pattern, that

ONCE = {"max_retries": 0}


def store(bucket, secret=SECRET_KEY, **config):
    return S3Store(
        bucket,
        endpoint=ENDPOINT,
        region=REGION,
        access_key_id=ACCESS_KEY,
        secret_access_key=secret,
        virtual_hosted_style_request=False,
        client_options={"allow_http": True},
        retry_config=ONCE,
        **config,
    )


def prepare():
    (bucket,) = fresh_bucket()
    return store(bucket), bucket


def content(there, path, **options):
    return bytes(obstore.get(there, path, **options).bytes())


@check
def put_get_head_and_delete(there, _bucket):
    written = obstore.put(there, "a/ключ +&", b"content", use_multipart=False)
    equal(written["e_tag"], f'"{md5(b"content")}"', "ETag")
    equal(content(there, "a/ключ +&"), b"content", "content")
    head = obstore.head(there, "a/ключ +&")
    equal((head["path"], head["size"], head["e_tag"]), ("a/ключ +&", 7, written["e_tag"]), "head")
    obstore.delete(there, "a/ключ +&")
    try:
        obstore.get(there, "a/ключ +&")
    except FileNotFoundError:
        pass
    else:
        raise AssertionError("it is still there")


@check
def attributes_and_tags_are_kept(there, bucket):
    attributes = {
        "Content-Type": "text/plain",
        "Cache-Control": "no-store",
        "Content-Disposition": "inline",
        "color": "blue",
    }
    obstore.put(there, "key", b"content", attributes=attributes, tags={"a b": "c+d"}, use_multipart=False)
    found = obstore.get(there, "key").attributes
    for name, value in attributes.items():
        equal(found.get(name), value, name)
    tags = s3.get_object_tagging(Bucket=bucket, Key="key")["TagSet"]
    equal(tags, [{"Key": "a b", "Value": "c+d"}], "tags")


@check
def large_content_is_put_in_parts(there, bucket):
    body = pattern(21 * MIB)
    obstore.put(there, "key", body, use_multipart=True, chunk_size=5 * MIB, max_concurrency=4)
    that(s3.head_object(Bucket=bucket, Key="key")["ETag"].endswith('-5"'), "not in 5 parts")
    equal(md5(content(there, "key")), md5(body), "MD5")


@check
def writers_put_in_parts(there, bucket):
    body = pattern(12 * MIB)
    with obstore.open_writer(there, "key", buffer_size=5 * MIB) as writer:
        for start in range(0, len(body), MIB):
            writer.write(body[start : start + MIB])
    equal(md5(read(bucket, "key")), md5(body), "MD5")


@check
def ranges_are_read(there, _bucket):
    body = pattern(1000)
    obstore.put(there, "key", body)
    equal(bytes(obstore.get_range(there, "key", start=5, length=10)), body[5:15], "range")
    ranges = obstore.get_ranges(there, "key", starts=[0, 500, 990], lengths=[3, 4, 10])
    equal([bytes(part) for part in ranges], [body[:3], body[500:504], body[990:]], "ranges")
    equal(content(there, "key", options={"range": {"suffix": 7}}), body[-7:], "suffix")
    equal(content(there, "key", options={"range": {"offset": 900}}), body[900:], "offset")


@check
def reads_have_conditions(there, _bucket):
    etag = obstore.put(there, "key", b"content")["e_tag"]
    equal(content(there, "key", options={"if_match": etag}), b"content", "if_match")
    past = datetime.datetime(2020, 1, 1, tzinfo=datetime.timezone.utc)
    equal(content(there, "key", options={"if_modified_since": past}), b"content", "if_modified_since")
    for options in ({"if_match": '"0"'}, {"if_unmodified_since": past}):
        try:
            obstore.get(there, "key", options=options)
        except PreconditionError:
            pass
        else:
            raise AssertionError(f"{options} holds")
    try:
        obstore.get(there, "key", options={"if_none_match": etag})
    except BaseError as error:
        that(type(error).__name__ == "NotModifiedError", repr(error))
    else:
        raise AssertionError("if_none_match holds")


@check
def puts_have_conditions(there, _bucket):
    first = obstore.put(there, "key", b"1", mode="create")
    try:
        obstore.put(there, "key", b"2", mode="create")
    except AlreadyExistsError:
        pass
    else:
        raise AssertionError("it was created twice")
    second = obstore.put(there, "key", b"2", mode={"e_tag": first["e_tag"]})
    try:
        obstore.put(there, "key", b"3", mode={"e_tag": first["e_tag"]})
    except PreconditionError:
        pass
    else:
        raise AssertionError("the old ETag still holds")
    that(second["e_tag"] != first["e_tag"], "both have one ETag")
    equal(content(there, "key"), b"2", "content")


@check
def one_of_many_creates(there, _bucket):
    async def create(n):
        try:
            await obstore.put_async(there, "key", str(n).encode(), mode="create")
        except AlreadyExistsError:
            return None
        return n

    async def race():
        return await asyncio.gather(*(create(n) for n in range(8)))

    for _ in range(5):
        winners = [n for n in asyncio.run(race()) if n is not None]
        equal(len(winners), 1, "winners")
        equal(content(there, "key"), str(winners[0]).encode(), "content")
        obstore.delete(there, "key")


@check
def copies_and_renames(there, bucket):
    obstore.put(there, "a +é&", b"content", attributes={"Content-Type": "text/x-a"})
    obstore.copy(there, "a +é&", "b")
    equal(s3.head_object(Bucket=bucket, Key="b")["ContentType"], "text/x-a", "ContentType")
    obstore.rename(there, "b", "c")
    equal(keys(bucket), ["a +é&", "c"], "keys")


@check
def copies_do_not_overwrite_if_they_are_told_so(_there, bucket):
    there = store(bucket, copy_if_not_exists="multipart")
    obstore.put(there, "from", b"new")
    obstore.copy(there, "from", "to", overwrite=False)
    equal(content(there, "to"), b"new", "content")
    try:
        obstore.copy(there, "from", "to", overwrite=False)
    except AlreadyExistsError:
        pass
    else:
        raise AssertionError("it was overwritten")


@check
def listings_go_through_all_pages(there, _bucket):
    async def fill():
        await asyncio.gather(*(obstore.put_async(there, f"k/{n:04}", b"x") for n in range(1100)))

    asyncio.run(fill())
    found = [entry["path"] for chunk in obstore.list(there, "k") for entry in chunk]
    equal(found, [f"k/{n:04}" for n in range(1100)], "paths")
    after = [entry["path"] for chunk in obstore.list(there, "k", offset="k/1089") for entry in chunk]
    equal(after, [f"k/{n:04}" for n in range(1090, 1100)], "paths after an offset")


@check
def listings_have_folders(there, _bucket):
    for path in ("a", "b/1", "b/2", "b c/é/3"):
        obstore.put(there, path, b"12345")
    found = obstore.list_with_delimiter(there)
    equal(sorted(found["common_prefixes"]), ["b", "b c"], "prefixes")
    equal([(entry["path"], entry["size"]) for entry in found["objects"]], [("a", 5)], "objects")


@check
def many_are_deleted_at_once(there, bucket):
    paths = [f"k {n} é&<" for n in range(50)]
    for path in paths:
        obstore.put(there, path, b"")
    obstore.delete(there, paths)
    equal(keys(bucket), [], "keys")


@check
def checksums_are_sent(_there, bucket):
    there = store(bucket, checksum_algorithm="sha256")
    obstore.put(there, "key", pattern(1000), use_multipart=False)
    head = s3.head_object(Bucket=bucket, Key="key", ChecksumMode="ENABLED")
    that(head.get("ChecksumSHA256"), "no checksum is kept")
    obstore.put(there, "parts", pattern(11 * MIB), use_multipart=True, chunk_size=5 * MIB)
    equal(md5(read(bucket, "parts")), md5(pattern(11 * MIB)), "MD5")


@check
def payloads_may_be_unsigned(_there, bucket):
    there = store(bucket, unsigned_payload=True)
    obstore.put(there, "key", b"content", use_multipart=False)
    equal(read(bucket, "key"), b"content", "content")


@check
def signed_urls_work(there, bucket):
    minutes = datetime.timedelta(minutes=5)
    url = obstore.sign(there, "PUT", "a b/é", minutes)
    request = urllib.request.Request(url, data=b"content", method="PUT", headers={"Content-Type": ""})
    with urllib.request.urlopen(request, timeout=20) as answer:
        equal(answer.status, 200, "status of PUT")
    with urllib.request.urlopen(obstore.sign(there, "GET", "a b/é", minutes), timeout=20) as answer:
        equal(answer.read(), b"content", "content")
    equal(keys(bucket), ["a b/é"], "keys")


@check
def streams_are_read_in_chunks(there, _bucket):
    body = pattern(5 * MIB)
    obstore.put(there, "key", body)
    chunks = [bytes(chunk) for chunk in obstore.get(there, "key").stream(min_chunk_size=MIB)]
    that(len(chunks) > 1, "there is one chunk")
    equal(md5(b"".join(chunks)), md5(body), "MD5")


@check
def wrong_secrets_are_refused(_there, bucket):
    try:
        obstore.put(store(bucket, secret="wrong" * 8), "key", b"content")
    except BaseError as error:
        that("SignatureDoesNotMatch" in str(error), str(error))
    else:
        raise AssertionError("not refused")


if __name__ == "__main__":
    main(prepare, everything_can_be_removed)
