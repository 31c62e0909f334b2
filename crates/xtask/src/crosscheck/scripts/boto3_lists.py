"""boto3: listings, page by page."""

from concurrent.futures import ThreadPoolExecutor

from aws import everything_can_be_removed, fresh_bucket, keys, put, refused, s3
from checks import check, equal, main, md5, that

TREE = ["a", "b/1", "b/2", "b/c/3", "d", "e/4", "f//5", "g"]


def fill(bucket, names):
    with ThreadPoolExecutor(16) as pool:
        list(pool.map(lambda name: put(bucket, name, name.encode()), names))


def pages_of(call, bucket, size, **arguments):
    paginator = s3.get_paginator(call)
    return list(paginator.paginate(Bucket=bucket, PaginationConfig={"PageSize": size}, **arguments))


def contents(pages):
    return [entry["Key"] for page in pages for entry in page.get("Contents", [])]


def prefixes(pages):
    return [entry["Prefix"] for page in pages for entry in page.get("CommonPrefixes", [])]


@check
def entries_tell_size_etag_time_and_class(bucket):
    put(bucket, "key", b"12345")
    (entry,) = s3.list_objects_v2(Bucket=bucket, FetchOwner=True)["Contents"]
    head = s3.head_object(Bucket=bucket, Key="key")
    equal((entry["Key"], entry["Size"]), ("key", 5), "key and size")
    equal(entry["ETag"], f'"{md5(b"12345")}"', "ETag")
    equal(entry["LastModified"].replace(microsecond=0), head["LastModified"], "LastModified")
    equal(entry["StorageClass"], "STANDARD", "StorageClass")
    that(entry["Owner"]["ID"], "no owner")
    (entry,) = s3.list_objects_v2(Bucket=bucket)["Contents"]
    that("Owner" not in entry, "the owner is told without being asked for")


@check
def empty_buckets_have_no_entries(bucket):
    answer = s3.list_objects_v2(Bucket=bucket)
    equal((answer["KeyCount"], answer["IsTruncated"]), (0, False), "count and truncated")
    that("Contents" not in answer, "there are contents")
    equal((answer["Name"], answer["MaxKeys"], answer["Prefix"]), (bucket, 1000, ""), "echo")


@check
def pages_are_full_and_in_order(bucket):
    names = [f"k{n:03}" for n in range(25)]
    fill(bucket, names)
    pages = pages_of("list_objects_v2", bucket, 10)
    equal([page["KeyCount"] for page in pages], [10, 10, 5], "sizes of the pages")
    equal([page["IsTruncated"] for page in pages], [True, True, False], "truncated")
    equal(contents(pages), names, "keys")
    equal([len(page["Contents"]) for page in pages_of("list_objects_v2", bucket, 25)], [25], "one full page")


@check
def order_is_that_of_bytes(bucket):
    names = ["B", "a", "é", "z", "\uffee", "🔑", "A/b", "A", "A-", "a0", "a/"]
    fill(bucket, names)
    equal(keys(bucket), sorted(names, key=str.encode), "keys")


@check
def prefixes_are_any_string(bucket):
    fill(bucket, [*TREE, "b", "bc", "%", "%41", "ü"])
    below = {prefix: keys(bucket, Prefix=prefix) for prefix in ("b", "b/", "%", "%4", "ü", "x")}
    equal(below["b"], ["b", "b/1", "b/2", "b/c/3", "bc"], "below b")
    equal(below["b/"], ["b/1", "b/2", "b/c/3"], "below b/")
    equal(below["%"], ["%", "%41"], "below %")
    equal(below["%4"], ["%41"], "below %4")
    equal(below["ü"], ["ü"], "below ü")
    equal(below["x"], [], "below x")


@check
def delimiters_make_common_prefixes(bucket):
    fill(bucket, TREE)
    answer = s3.list_objects_v2(Bucket=bucket, Delimiter="/")
    equal(contents([answer]), ["a", "d", "g"], "keys")
    equal(prefixes([answer]), ["b/", "e/", "f/"], "prefixes")
    equal((answer["KeyCount"], answer["Delimiter"]), (6, "/"), "count and delimiter")
    answer = s3.list_objects_v2(Bucket=bucket, Delimiter="/", Prefix="b/")
    equal((contents([answer]), prefixes([answer])), (["b/1", "b/2"], ["b/c/"]), "below b/")
    answer = s3.list_objects_v2(Bucket=bucket, Delimiter="/", Prefix="f/")
    equal((contents([answer]), prefixes([answer])), ([], ["f//"]), "below f/")
    answer = s3.list_objects_v2(Bucket=bucket, Delimiter="/c/")
    equal(prefixes([answer]), ["b/c/"], "with a delimiter of three characters")


@check
def pages_with_delimiters_repeat_and_omit_nothing(bucket):
    fill(bucket, TREE)
    for size in (1, 2, 3, 5):
        pages = pages_of("list_objects_v2", bucket, size, Delimiter="/")
        equal(contents(pages), ["a", "d", "g"], f"keys by {size}")
        equal(prefixes(pages), ["b/", "e/", "f/"], f"prefixes by {size}")
        that(all(page["KeyCount"] <= size for page in pages), f"pages above {size}")


@check
def listings_start_after(bucket):
    fill(bucket, TREE)
    equal(keys(bucket, StartAfter="b/2"), TREE[3:], "after b/2")
    equal(keys(bucket, StartAfter="b/1x"), TREE[2:], "after what is no key")
    equal(keys(bucket, StartAfter="z"), [], "after the end")
    pages = pages_of("list_objects_v2", bucket, 2, StartAfter="a")
    equal(contents(pages), TREE[1:], "pages")


@check
def tokens_that_were_not_issued_are_refused(bucket):
    arguments = {"Bucket": bucket, "ContinuationToken": "not a token"}
    refused(400, "InvalidArgument", s3.list_objects_v2, **arguments)


@check
def pages_are_limited(bucket):
    fill(bucket, [f"{n:04}" for n in range(1005)])
    equal(len(s3.list_objects_v2(Bucket=bucket)["Contents"]), 1000, "without a limit")
    answer = s3.list_objects_v2(Bucket=bucket, MaxKeys=5000)
    equal(len(answer["Contents"]), 1000, "with too large a limit")
    equal(len(keys(bucket)), 1005, "all pages")
    answer = s3.list_objects_v2(Bucket=bucket, MaxKeys=0)
    equal((answer["KeyCount"], answer["IsTruncated"]), (0, False), "with a limit of none")
    refused(400, "InvalidArgument", s3.list_objects_v2, Bucket=bucket, MaxKeys=-1)


@check
def writes_and_deletes_between_pages_hide_nothing_else(bucket):
    names = [f"k{n}" for n in range(10)]
    fill(bucket, names)
    first = s3.list_objects_v2(Bucket=bucket, MaxKeys=4)
    s3.delete_object(Bucket=bucket, Key="k3")
    s3.delete_object(Bucket=bucket, Key="k4")
    put(bucket, "k0a")
    put(bucket, "k5a")
    token = first["NextContinuationToken"]
    rest = s3.list_objects_v2(Bucket=bucket, ContinuationToken=token)
    equal(contents([rest]), ["k5", "k5a", "k6", "k7", "k8", "k9"], "second page")


@check
def version_1_pages_by_marker(bucket):
    fill(bucket, TREE)
    pages = pages_of("list_objects", bucket, 3)
    equal([len(page["Contents"]) for page in pages], [3, 3, 2], "sizes of the pages")
    equal(contents(pages), TREE, "keys")
    answer = s3.list_objects(Bucket=bucket, Marker="d")
    equal(contents([answer]), ["e/4", "f//5", "g"], "after a marker")
    answer = s3.list_objects(Bucket=bucket, MaxKeys=3)
    that("NextMarker" not in answer, "NextMarker is told without a delimiter")
    pages = pages_of("list_objects", bucket, 2, Delimiter="/")
    equal((contents(pages), prefixes(pages)), (["a", "d", "g"], ["b/", "e/", "f/"]), "folders")
    answer = s3.list_objects(Bucket=bucket, MaxKeys=2, Delimiter="/")
    equal(answer["NextMarker"], "b/", "NextMarker")


def versions_of(pages):
    return [
        (entry["Key"], entry["VersionId"])
        for page in pages
        for entry in page.get("Versions", [])
    ]


@check
def versions_are_listed_from_new_to_old(bucket):
    configuration = {"Status": "Enabled"}
    s3.put_bucket_versioning(Bucket=bucket, VersioningConfiguration=configuration)
    written = [
        (key, put(bucket, key, f"{key}{n}".encode())["VersionId"])
        for n in range(3)
        for key in ("a", "b/1", "c é+")
    ]
    marker = s3.delete_object(Bucket=bucket, Key="a")["VersionId"]
    expected = [entry for key in ("a", "b/1", "c é+") for entry in reversed(written) if entry[0] == key]
    for size in (1, 2, 4, 100):
        pages = pages_of("list_object_versions", bucket, size)
        equal(versions_of(pages), expected, f"versions by {size}")
        markers = [entry for page in pages for entry in page.get("DeleteMarkers", [])]
        found = [(entry["Key"], entry["VersionId"], entry["IsLatest"]) for entry in markers]
        equal(found, [("a", marker, True)], f"markers by {size}")
    (page,) = pages_of("list_object_versions", bucket, 100)
    latest = [(v["Key"], v["VersionId"]) for v in page["Versions"] if v["IsLatest"]]
    equal(latest, [written[7], written[8]], "latest")
    equal(keys(bucket), ["b/1", "c é+"], "keys without the deleted")


@check
def versions_have_prefixes_and_delimiters(bucket):
    configuration = {"Status": "Enabled"}
    s3.put_bucket_versioning(Bucket=bucket, VersioningConfiguration=configuration)
    fill(bucket, TREE)
    pages = pages_of("list_object_versions", bucket, 2, Delimiter="/")
    equal([key for key, _ in versions_of(pages)], ["a", "d", "g"], "keys")
    equal(prefixes(pages), ["b/", "e/", "f/"], "prefixes")
    pages = pages_of("list_object_versions", bucket, 100, Prefix="b/c")
    equal([key for key, _ in versions_of(pages)], ["b/c/3"], "below a prefix")


@check
def versions_of_buckets_without_versioning_are_null(bucket):
    put(bucket, "key")
    (page,) = pages_of("list_object_versions", bucket, 100)
    equal(versions_of([page]), [("key", "null")], "versions")
    that(page["Versions"][0]["IsLatest"], "it is not the latest")


if __name__ == "__main__":
    main(fresh_bucket, everything_can_be_removed)
