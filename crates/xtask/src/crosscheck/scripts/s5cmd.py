"""s5cmd: files up and down, listings, moves and pipes."""

from aws import everything_can_be_removed, fresh_bucket, keys, put, read, s3
from checks import (
    ACCESS_KEY, ENDPOINT, MIB, REGION, SECRET_KEY, CommandFailed, Folder,
    check, command, equal, main, md5, pattern, program, that,
)

FOLDER = Folder()
ENVIRONMENT = {
    "AWS_ACCESS_KEY_ID": ACCESS_KEY,
    "AWS_SECRET_ACCESS_KEY": SECRET_KEY,
    "AWS_REGION": REGION,
    "HOME": FOLDER.path,
    "NO_PROXY": "*",
}


def s5cmd(*arguments, secret=SECRET_KEY, **options):
    environment = {**ENVIRONMENT, "AWS_SECRET_ACCESS_KEY": secret}
    start = [program("s5cmd"), "--endpoint-url", ENDPOINT, "--retry-count", "0"]
    return command([*start, *arguments], env=environment, **options).decode()


@check
def cp_takes_a_file_up_and_down(bucket):
    source = FOLDER.file("up/a b", pattern(100_000))
    s5cmd("cp", "--content-type", "text/plain", source, f"s3://{bucket}/a b")
    equal(read(bucket, "a b"), pattern(100_000), "content")
    equal(s3.head_object(Bucket=bucket, Key="a b")["ContentType"], "text/plain", "ContentType")
    s5cmd("cp", f"s3://{bucket}/a b", f"{FOLDER.path}/down/a b")
    equal(FOLDER.read("down/a b"), pattern(100_000), "content of the file")


@check
def cp_takes_a_large_file_in_parts(bucket):
    content = pattern(21 * MIB)
    source = FOLDER.file("large", content)
    s5cmd("cp", "--part-size", 5, "--concurrency", 4, source, f"s3://{bucket}/large")
    that(s3.head_object(Bucket=bucket, Key="large")["ETag"].endswith('-5"'), "not in 5 parts")
    target = f"{FOLDER.path}/large-down"
    s5cmd("cp", "--part-size", 5, "--concurrency", 4, f"s3://{bucket}/large", target)
    equal(md5(FOLDER.read("large-down")), md5(content), "MD5")


@check
def cp_takes_whole_directories(bucket):
    files = {f"d{n % 3}/é {n}": pattern(1000 + n, n) for n in range(30)}
    for name, content in files.items():
        FOLDER.file(f"tree/{name}", content)
    s5cmd("cp", f"{FOLDER.path}/tree/", f"s3://{bucket}/tree/")
    equal(keys(bucket), sorted((f"tree/{name}" for name in files), key=str.encode), "keys")
    s5cmd("cp", f"s3://{bucket}/tree/*", f"{FOLDER.path}/tree-down/")
    equal(FOLDER.tree("tree-down"), files, "files")


@check
def cp_does_not_overwrite_if_it_is_told_so(bucket):
    source = FOLDER.file("new", b"new")
    put(bucket, "key", b"old")
    s5cmd("cp", "--no-clobber", source, f"s3://{bucket}/key")
    equal(read(bucket, "key"), b"old", "content")


@check
def cp_copies_within_the_store(bucket):
    put(bucket, "a +é&", b"content")
    s5cmd("cp", f"s3://{bucket}/a +é&", f"s3://{bucket}/b/c")
    equal(read(bucket, "b/c"), b"content", "content")


@check
def ls_lists_objects_and_folders(bucket):
    for key in ("a", "b/1", "b/2", "c d"):
        put(bucket, key, b"12345")
    lines = s5cmd("ls", f"s3://{bucket}/").splitlines()
    equal([line.split(maxsplit=3)[-1].split()[-1] for line in lines], ["b/", "a", "d"], "names")
    sizes = [line.split()[2] for line in lines if "DIR" not in line]
    equal(sizes, ["5", "5"], "sizes")
    lines = s5cmd("ls", f"s3://{bucket}/b/*").splitlines()
    equal([line.split()[-1] for line in lines], ["1", "2"], "names below b/")
    that(bucket in s5cmd("ls"), "the bucket is not listed")


@check
def ls_goes_through_all_pages(bucket):
    from concurrent.futures import ThreadPoolExecutor

    with ThreadPoolExecutor(16) as pool:
        list(pool.map(lambda n: put(bucket, f"k{n:04}", b""), range(1100)))
    equal(len(s5cmd("ls", f"s3://{bucket}/k*").splitlines()), 1100, "lines")


@check
def ls_shows_versions(bucket):
    configuration = {"Status": "Enabled"}
    s3.put_bucket_versioning(Bucket=bucket, VersioningConfiguration=configuration)
    ids = [put(bucket, "key", str(n).encode())["VersionId"] for n in range(2)]
    printed = s5cmd("ls", "--all-versions", f"s3://{bucket}/key")
    that(all(version in printed for version in ids), printed)
    old = s5cmd("cat", "--version-id", ids[0], f"s3://{bucket}/key")
    equal(old, "0", "old content")


@check
def cat_prints_content(bucket):
    put(bucket, "key", b"line 1\nline 2\n")
    equal(s5cmd("cat", f"s3://{bucket}/key"), "line 1\nline 2\n", "content")
    try:
        s5cmd("cat", f"s3://{bucket}/missing")
    except CommandFailed as error:
        that("NoSuchKey" in str(error) or "not found" in str(error).lower(), str(error))
    else:
        raise AssertionError("it printed what is not there")


@check
def pipe_takes_content_from_a_stream(bucket):
    content = pattern(12 * MIB)
    s5cmd("pipe", "--part-size", 5, f"s3://{bucket}/key", stdin=content)
    equal(md5(read(bucket, "key")), md5(content), "MD5")


@check
def mv_moves_up_down_and_within(bucket):
    source = FOLDER.file("moved", b"content")
    s5cmd("mv", source, f"s3://{bucket}/a")
    that("moved" not in FOLDER.tree(), "the file is still there")
    s5cmd("mv", f"s3://{bucket}/a", f"s3://{bucket}/b")
    equal(keys(bucket), ["b"], "keys")
    s5cmd("mv", f"s3://{bucket}/b", f"{FOLDER.path}/moved-down")
    equal((keys(bucket), FOLDER.read("moved-down")), ([], b"content"), "what is left")


@check
def rm_removes_what_matches(bucket):
    for key in ("a/1", "a/2", "b/é +", "c"):
        put(bucket, key)
    s5cmd("rm", f"s3://{bucket}/c")
    s5cmd("rm", f"s3://{bucket}/a/*")
    equal(keys(bucket), ["b/é +"], "keys")
    s5cmd("rm", f"s3://{bucket}/*")
    equal(keys(bucket), [], "keys at the end")


@check
def sync_sends_what_differs(bucket):
    for name in ("same", "changed", "new"):
        FOLDER.file(f"sync/{name}", name.encode())
    put(bucket, "sync/gone")
    s5cmd("sync", "--delete", f"{FOLDER.path}/sync/", f"s3://{bucket}/sync/")
    equal(keys(bucket), ["sync/changed", "sync/new", "sync/same"], "keys")
    FOLDER.file("sync/changed", b"changed again")
    printed = s5cmd("sync", "--size-only", f"{FOLDER.path}/sync/", f"s3://{bucket}/sync/")
    equal(len(printed.splitlines()), 1, "files sent")
    equal(read(bucket, "sync/changed"), b"changed again", "content")


@check
def du_and_head_tell_sizes(bucket):
    for n in range(3):
        put(bucket, f"a/{n}", b"12345")
    that("15 bytes in 3 objects" in s5cmd("du", f"s3://{bucket}/a/*"), "du tells otherwise")
    that('"size":5' in s5cmd("--json", "head", f"s3://{bucket}/a/1"), "head tells otherwise")


@check
def mb_and_rb_make_and_remove_buckets(bucket):
    name = f"{bucket}-made"
    s5cmd("mb", f"s3://{name}")
    s3.head_bucket(Bucket=name)
    s5cmd("rb", f"s3://{name}")
    that(name not in s5cmd("ls"), "the bucket is still there")


@check
def presign_makes_urls_that_work(bucket):
    import urllib.request

    put(bucket, "a b", b"content")
    url = s5cmd("presign", "--expire", "5m", f"s3://{bucket}/a b").strip()
    with urllib.request.urlopen(url, timeout=20) as answer:
        equal(answer.read(), b"content", "content")


@check
def wrong_secrets_are_refused(bucket):
    try:
        s5cmd("ls", f"s3://{bucket}/", secret="wrong" * 8)
    except CommandFailed as error:
        that("SignatureDoesNotMatch" in str(error), str(error))
    else:
        raise AssertionError("not refused")


if __name__ == "__main__":
    try:
        main(fresh_bucket, everything_can_be_removed)
    finally:
        FOLDER.remove()
