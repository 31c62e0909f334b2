"""rclone: directories copied, compared and kept the same.

It speaks TLS, because it sends content whose checksum follows behind it over TLS only.
"""

import json
import os

from aws import everything_can_be_removed, fresh_bucket, keys, put, read, s3
from checks import (
    ACCESS_KEY, ENDPOINT, MIB, REGION, SECRET_KEY, CommandFailed, Folder,
    check, command, equal, main, md5, pattern, program, that,
)
from tls import Front

FRONT = Front(ENDPOINT)
FOLDER = Folder()
ENVIRONMENT = {
    "RCLONE_CONFIG": f"{FOLDER.path}/none.conf",
    "RCLONE_CONFIG_THERE_TYPE": "s3",
    "RCLONE_CONFIG_THERE_PROVIDER": "AWS",
    "RCLONE_CONFIG_THERE_ENDPOINT": FRONT.endpoint,
    "RCLONE_CA_CERT": FRONT.authority,
    "RCLONE_CONFIG_THERE_REGION": REGION,
    "RCLONE_CONFIG_THERE_FORCE_PATH_STYLE": "true",
    "RCLONE_CONFIG_THERE_ACCESS_KEY_ID": ACCESS_KEY,
    "RCLONE_CONFIG_THERE_SECRET_ACCESS_KEY": SECRET_KEY,
    "RCLONE_RETRIES": "1",
    "RCLONE_LOW_LEVEL_RETRIES": "1",
    "HOME": FOLDER.path,
    "NO_PROXY": "*",
}
IN_PARTS = ["--s3-upload-cutoff", "5Mi", "--s3-chunk-size", "5Mi", "--s3-upload-concurrency", "4"]

FILES = {
    "a": b"a",
    "empty": b"",
    "d/b c": b"spaces",
    "d/e/ключ 🔑": b"unicode",
    "d/plus+percent%20": b"signs",
    "d/quotes'\"&<>": b"quotes",
    "large": pattern(11 * MIB),
}


def rclone(*arguments, env=None, **options):
    environment = {**ENVIRONMENT, **(env or {})}
    return command([program("rclone"), *arguments], env=environment, **options).decode()


def tree(name="tree"):
    """The files in a directory."""
    for path, content in FILES.items():
        FOLDER.file(f"{name}/{path}", content)
    return f"{FOLDER.path}/{name}"


@check
def copy_takes_a_directory_up_and_down(bucket):
    rclone("copy", tree(), f"there:{bucket}/tree", *IN_PARTS)
    found = {key.removeprefix("tree/"): read(bucket, key) for key in keys(bucket)}
    equal(sorted(found), sorted(FILES), "keys")
    equal({name: md5(data) for name, data in found.items()}, {name: md5(data) for name, data in FILES.items()}, "content")
    that(s3.head_object(Bucket=bucket, Key="tree/large")["ETag"].endswith('-3"'), "not in 3 parts")
    rclone("copy", f"there:{bucket}/tree", f"{FOLDER.path}/down", "--multi-thread-cutoff", "5Mi", "--multi-thread-streams", "4")
    equal(FOLDER.tree("down"), FILES, "files")


@check
def copy_sends_nothing_twice(bucket):
    source = tree()
    rclone("copy", source, f"there:{bucket}", *IN_PARTS)
    before = {entry["Key"]: entry["LastModified"] for entry in s3.list_objects_v2(Bucket=bucket)["Contents"]}
    printed = rclone("copy", source, f"there:{bucket}", *IN_PARTS, "--stats-log-level", "NOTICE", "-v", "--use-json-log", "--log-file", f"{FOLDER.path}/log")
    equal(printed, "", "what is printed")
    after = {entry["Key"]: entry["LastModified"] for entry in s3.list_objects_v2(Bucket=bucket)["Contents"]}
    equal(after, before, "times")
    that(b"Copied" not in FOLDER.read("log"), "something was copied")


@check
def check_compares_both_sides(bucket):
    rclone("copy", tree(), f"there:{bucket}", *IN_PARTS)
    rclone("check", tree(), f"there:{bucket}")
    rclone("check", "--download", tree(), f"there:{bucket}")
    put(bucket, "a", b"b")
    rclone("check", tree(), f"there:{bucket}", succeeds=False)


@check
def sync_makes_both_sides_the_same(bucket):
    rclone("copy", tree(), f"there:{bucket}", *IN_PARTS)
    put(bucket, "gone/1")
    put(bucket, "gone/2")
    put(bucket, "a", b"changed")
    rclone("sync", tree(), f"there:{bucket}", *IN_PARTS)
    equal(sorted(keys(bucket)), sorted(FILES), "keys")
    equal(read(bucket, "a"), b"a", "content")
    put(bucket, "new", b"new")
    rclone("sync", f"there:{bucket}", f"{FOLDER.path}/synced")
    equal(FOLDER.tree("synced"), {**FILES, "new": b"new"}, "files")


@check
def ls_lists_sizes_and_times(bucket):
    for key in ("a", "d/b c", "d/e/f"):
        put(bucket, key, b"12345")
    printed = rclone("ls", f"there:{bucket}")
    equal(sorted(line.strip() for line in printed.splitlines()), ["5 a", "5 d/b c", "5 d/e/f"], "ls")
    entries = json.loads(rclone("lsjson", f"there:{bucket}/d"))
    found = sorted((entry["Name"], entry["IsDir"]) for entry in entries)
    equal(found, [("b c", False), ("e", True)], "lsjson")
    equal(rclone("lsd", f"there:{bucket}").split()[-1], "d", "lsd")
    that('"bytes":15' in rclone("size", "--json", f"there:{bucket}"), "size tells otherwise")


@check
def listings_go_through_all_pages(bucket):
    from concurrent.futures import ThreadPoolExecutor

    with ThreadPoolExecutor(16) as pool:
        list(pool.map(lambda n: put(bucket, f"k{n:04}", b""), range(1100)))
    equal(len(rclone("lsf", f"there:{bucket}").splitlines()), 1100, "fast")
    equal(len(rclone("lsf", "--s3-list-chunk", "100", f"there:{bucket}").splitlines()), 1100, "by 100")
    version = ["--s3-list-version", "1", "--s3-list-chunk", "100"]
    equal(len(rclone("lsf", *version, f"there:{bucket}").splitlines()), 1100, "by markers")


@check
def cat_and_rcat_stream(bucket):
    content = pattern(12 * MIB)
    rclone("rcat", f"there:{bucket}/a/b c", *IN_PARTS, stdin=content)
    equal(md5(read(bucket, "a/b c")), md5(content), "MD5")
    put(bucket, "text", b"0123456789")
    equal(rclone("cat", f"there:{bucket}/text"), "0123456789", "cat")
    part = rclone("cat", "--offset", "2", "--count", "3", f"there:{bucket}/text")
    equal(part, "234", "part")
    equal(rclone("cat", "--tail", "2", f"there:{bucket}/text"), "89", "tail")


@check
def moveto_moves_within_the_store(bucket):
    put(bucket, "a +é&", b"content", ContentType="text/x-a", Metadata={"a": "b"})
    rclone("moveto", f"there:{bucket}/a +é&", f"there:{bucket}/d/c")
    equal(keys(bucket), ["d/c"], "keys")
    head = s3.head_object(Bucket=bucket, Key="d/c")
    equal((head["ContentType"], head["Metadata"].get("a")), ("text/x-a", "b"), "attributes")
    equal(read(bucket, "d/c"), b"content", "content")


@check
def copyto_copies_large_objects_in_parts(bucket):
    content = pattern(16 * MIB)
    put(bucket, "from", content)
    rclone("copyto", "--s3-copy-cutoff", "5Mi", "--s3-chunk-size", "5Mi", f"there:{bucket}/from", f"there:{bucket}/to")
    that('-' in s3.head_object(Bucket=bucket, Key="to")["ETag"], "not in parts")
    equal(md5(read(bucket, "to")), md5(content), "MD5")


@check
def times_and_metadata_are_kept(bucket):
    source = FOLDER.file("meta/file", b"content")
    os.utime(source, (1_000_000_000.5, 1_000_000_000.5))
    rclone("copyto", "--metadata", "--metadata-set", "color=blue", source, f"there:{bucket}/file")
    rclone("copyto", f"there:{bucket}/file", f"{FOLDER.path}/meta/down")
    equal(os.stat(f"{FOLDER.path}/meta/down").st_mtime, 1_000_000_000.5, "time")
    equal(s3.head_object(Bucket=bucket, Key="file")["Metadata"].get("color"), "blue", "metadata")
    rclone("touch", "--timestamp", "2020-01-02T03:04:05", f"there:{bucket}/file")
    (entry,) = json.loads(rclone("lsjson", f"there:{bucket}"))
    that(entry["ModTime"].startswith("2020-01-02T03:04:05"), entry["ModTime"])


@check
def hashes_are_md5(bucket):
    put(bucket, "key", b"content")
    equal(rclone("hashsum", "md5", f"there:{bucket}").split()[0], md5(b"content"), "MD5")
    source = FOLDER.file("hash/large", pattern(11 * MIB))
    rclone("copyto", source, f"there:{bucket}/large", *IN_PARTS)
    printed = rclone("hashsum", "md5", f"there:{bucket}/large")
    equal(printed.split()[0], md5(pattern(11 * MIB)), "MD5 of what was sent in parts")


@check
def versions_are_seen_and_removed(bucket):
    rclone("backend", "versioning", f"there:{bucket}", "Enabled")
    that("Enabled" in rclone("backend", "versioning", f"there:{bucket}"), "not enabled")
    put(bucket, "key.txt", b"old")
    put(bucket, "key.txt", b"new")
    names = rclone("lsf", "--s3-versions", f"there:{bucket}").splitlines()
    equal(len(names), 2, "versions")
    (old,) = [name for name in names if name != "key.txt"]
    equal(rclone("cat", "--s3-versions", f"there:{bucket}/{old}"), "old", "old content")
    rclone("backend", "cleanup-hidden", f"there:{bucket}")
    equal(len(s3.list_object_versions(Bucket=bucket)["Versions"]), 1, "versions left")


@check
def uploads_are_listed_and_cleaned_up(bucket):
    s3.create_multipart_upload(Bucket=bucket, Key="a b")
    listed = rclone("backend", "list-multipart-uploads", f"there:{bucket}")
    that("a b" in listed, listed)
    rclone("backend", "cleanup", "-o", "max-age=0s", f"there:{bucket}")
    that(not s3.list_multipart_uploads(Bucket=bucket).get("Uploads"), "an upload is left")


@check
def content_may_be_unsigned_without_tls(bucket):
    plain = {
        "RCLONE_CONFIG_THERE_ENDPOINT": ENDPOINT,
        "RCLONE_CONFIG_THERE_USE_UNSIGNED_PAYLOAD": "true",
    }
    source = FOLDER.file("plain", b"content")
    rclone("copyto", source, f"there:{bucket}/key", env=plain)
    equal(read(bucket, "key"), b"content", "content")


@check
def tags_and_classes_are_set(bucket):
    source = FOLDER.file("class", b"content")
    options = ["--s3-storage-class", "STANDARD_IA", "--header-upload", "x-amz-tagging: a=b"]
    rclone("copyto", *options, source, f"there:{bucket}/key")
    equal(s3.head_object(Bucket=bucket, Key="key").get("StorageClass"), "STANDARD_IA", "class")
    tags = s3.get_object_tagging(Bucket=bucket, Key="key")["TagSet"]
    equal(tags, [{"Key": "a", "Value": "b"}], "tags")
    rclone("settier", "STANDARD", f"there:{bucket}/key")
    that("StorageClass" not in s3.head_object(Bucket=bucket, Key="key"), "class after settier")


@check
def link_makes_urls_that_work(bucket):
    import urllib.request

    put(bucket, "a b/é", b"content")
    plain = {"RCLONE_CONFIG_THERE_ENDPOINT": ENDPOINT}
    url = rclone("link", "--expire", "5m", f"there:{bucket}/a b/é", env=plain).strip()
    with urllib.request.urlopen(url, timeout=20) as answer:
        equal(answer.read(), b"content", "content")


@check
def buckets_are_made_purged_and_removed(bucket):
    name = f"{bucket}-made"
    rclone("mkdir", f"there:{name}")
    put(name, "a/b")
    rclone("delete", f"there:{name}/a")
    equal(keys(name), [], "keys")
    put(name, "c")
    rclone("purge", f"there:{name}")
    that(name not in rclone("lsd", "there:"), "the bucket is still there")


@check
def wrong_secrets_are_refused(bucket):
    try:
        rclone("ls", f"there:{bucket}", env={"RCLONE_CONFIG_THERE_SECRET_ACCESS_KEY": "wrong" * 8})
    except CommandFailed as error:
        that("SignatureDoesNotMatch" in str(error), str(error))
    else:
        raise AssertionError("not refused")


if __name__ == "__main__":
    try:
        main(fresh_bucket, everything_can_be_removed)
    finally:
        FOLDER.remove()
