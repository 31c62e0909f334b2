"""boto3: URLs and forms that are signed ahead of their use, and what is made of them."""

import base64
import json
import urllib.error
import urllib.request
import xml.etree.ElementTree as ElementTree
from urllib.parse import parse_qs, urlencode, urlsplit, urlunsplit

import aws
from aws import everything_can_be_removed, fresh_bucket, put, read, refused, s3
from checks import check, equal, main, md5, that


def send(url, method="GET", body=None, headers=None):
    """Sends a request as it is, and returns the status, the headers and the body of the answer."""
    headers = {"Content-Type": "", **(headers or {})} if body is not None else headers or {}
    request = urllib.request.Request(url, data=body, headers=headers, method=method)
    try:
        with urllib.request.urlopen(request, timeout=20) as answer:
            return answer.status, answer.headers, answer.read()
    except urllib.error.HTTPError as error:
        return error.code, error.headers, error.read()


def code_of(body):
    return ElementTree.fromstring(body).findtext("Code")


def sent_in_vain(status, code, url, *arguments, **options):
    found, _, body = send(url, *arguments, **options)
    codes = code if isinstance(code, tuple) else (code,)
    if found != status or code_of(body) not in codes:
        raise AssertionError(f"{found} {body[:300]!r} instead of {(status, code)}")


def url_of(operation, bucket, key, client=s3, expires=300, method=None, **arguments):
    arguments = {"Bucket": bucket, "Key": key, **arguments}
    return client.generate_presigned_url(operation, arguments, expires, method)


def changed(url, **parameters):
    """The URL with other parameters; `None` takes one away."""
    parts = urlsplit(url)
    query = {name: values[0] for name, values in parse_qs(parts.query, True).items()}
    query.update({name.replace("_", "-"): value for name, value in parameters.items()})
    query = {name: value for name, value in query.items() if value is not None}
    return urlunsplit(parts._replace(query=urlencode(query)))


@check
def get_by_url(bucket):
    for key in ("key", "a//b", "ключ +&%/🔑", "spaces and  two", "../x"):
        put(bucket, key, key.encode())
        status, _, body = send(url_of("get_object", bucket, key))
        equal((status, body), (200, key.encode()), key)


@check
def head_and_delete_by_url(bucket):
    put(bucket, "key", b"12345")
    status, headers, _ = send(url_of("head_object", bucket, "key"), "HEAD")
    equal((status, headers["Content-Length"]), (200, "5"), "head")
    equal(send(url_of("delete_object", bucket, "key"), "DELETE")[0], 204, "delete")
    sent_in_vain(404, "NoSuchKey", url_of("get_object", bucket, "key"))


@check
def ranges_by_url(bucket):
    put(bucket, "key", b"12345")
    status, _, body = send(url_of("get_object", bucket, "key"), headers={"Range": "bytes=1-2"})
    equal((status, body), (206, b"23"), "range")


@check
def headers_of_answers_can_be_chosen(bucket):
    put(bucket, "key", b"content", ContentType="text/plain")
    chosen = {
        "ResponseContentType": "application/x-new",
        "ResponseContentDisposition": 'attachment; filename="a b+c.txt"',
        "ResponseCacheControl": "no-store",
    }
    _, headers, _ = send(url_of("get_object", bucket, "key", **chosen))
    equal(headers["Content-Type"], chosen["ResponseContentType"], "Content-Type")
    disposition = headers["Content-Disposition"]
    equal(disposition, chosen["ResponseContentDisposition"], "Content-Disposition")
    equal(headers["Cache-Control"], "no-store", "Cache-Control")


@check
def put_by_url(bucket):
    status, headers, _ = send(url_of("put_object", bucket, "a b/ü"), "PUT", b"content")
    equal((status, headers["ETag"]), (200, f'"{md5(b"content")}"'), "answer")
    equal(read(bucket, "a b/ü"), b"content", "content")


@check
def headers_that_are_signed_have_to_be_sent(bucket):
    signed = {"ContentType": "text/plain", "Metadata": {"a": "b"}}
    url = url_of("put_object", bucket, "key", **signed)
    right = {"Content-Type": "text/plain", "x-amz-meta-a": "b"}
    refusal = (403, ("SignatureDoesNotMatch", "AccessDenied"), url, "PUT", b"content")
    sent_in_vain(*refusal, headers={**right, "Content-Type": "text/html"})
    sent_in_vain(*refusal, headers={**right, "x-amz-meta-a": "c"})
    sent_in_vain(*refusal, headers={"Content-Type": "text/plain"})
    equal(send(url, "PUT", b"content", right)[0], 200, "status")
    head = s3.head_object(Bucket=bucket, Key="key")
    equal((head["ContentType"], head["Metadata"]), ("text/plain", {"a": "b"}), "what was put")


@check
def amazon_headers_that_are_not_signed_are_refused(bucket):
    url = url_of("put_object", bucket, "key")
    sent_in_vain(403, "AccessDenied", url, "PUT", b"content", headers={"x-amz-meta-a": "b"})


@check
def conditions_by_url(bucket):
    url = url_of("put_object", bucket, "key", IfNoneMatch="*")
    equal(send(url, "PUT", b"content", {"If-None-Match": "*"})[0], 200, "first")
    refusal = (412, "PreconditionFailed", url, "PUT", b"other")
    sent_in_vain(*refusal, headers={"If-None-Match": "*"})


@check
def parts_by_url(bucket):
    here = {"Bucket": bucket, "Key": "key"}
    upload = s3.create_multipart_upload(**here)["UploadId"]
    url = url_of("upload_part", bucket, "key", UploadId=upload, PartNumber=1)
    status, headers, _ = send(url, "PUT", b"part")
    equal(status, 200, "status")
    part = {"PartNumber": 1, "ETag": headers["ETag"]}
    told = headers["x-amz-checksum-crc32"]
    if told:
        part["ChecksumCRC32"] = told
    s3.complete_multipart_upload(**here, UploadId=upload, MultipartUpload={"Parts": [part]})
    equal(read(bucket, "key"), b"part", "content")


@check
def versions_by_url(bucket):
    configuration = {"Status": "Enabled"}
    s3.put_bucket_versioning(Bucket=bucket, VersioningConfiguration=configuration)
    old = put(bucket, "key", b"old")["VersionId"]
    put(bucket, "key", b"new")
    _, _, body = send(url_of("get_object", bucket, "key", VersionId=old))
    equal(body, b"old", "content")


@check
def listings_by_url(bucket):
    put(bucket, "a b")
    url = s3.generate_presigned_url("list_objects_v2", {"Bucket": bucket, "Prefix": "a "})
    status, _, body = send(url)
    equal(status, 200, "status")
    namespace = "{http://s3.amazonaws.com/doc/2006-03-01/}"
    found = [entry.text for entry in ElementTree.fromstring(body).iter(f"{namespace}Key")]
    equal([key.replace("+", " ").replace("%20", " ") for key in found], ["a b"], "keys")


@check
def urls_are_for_one_method_and_one_key(bucket):
    put(bucket, "key")
    put(bucket, "other")
    url = url_of("get_object", bucket, "key")
    refusal = (403, "SignatureDoesNotMatch")
    sent_in_vain(*refusal, url, "DELETE")
    sent_in_vain(*refusal, url, "PUT", b"content")
    sent_in_vain(*refusal, url.replace("/key?", "/other?"))
    equal(read(bucket, "key"), b"content", "content")


@check
def urls_cannot_be_changed(bucket):
    put(bucket, "key")
    url = url_of("get_object", bucket, "key")
    equal(send(changed(url))[0], 200, "written again without a change")
    refusal = (403, "SignatureDoesNotMatch")
    sent_in_vain(*refusal, changed(url, X_Amz_Expires="3000"))
    sent_in_vain(*refusal, changed(url, X_Amz_Signature="0" * 64))
    sent_in_vain(*refusal, changed(url, response_content_type="text/html"))
    malformed = ("AuthorizationQueryParametersError", "AccessDenied")
    for status in (400, 403):
        found, _, body = send(changed(url, X_Amz_Signature=None))
        if found == status and code_of(body) in malformed:
            break
    else:
        raise AssertionError(f"{found} {body[:200]!r} without a signature")


@check
def urls_expire(bucket):
    put(bucket, "key")
    with aws.clock(-600):
        late = url_of("get_object", bucket, "key", expires=599)
        early = url_of("get_object", bucket, "key", expires=660)
    sent_in_vain(403, "AccessDenied", late)
    _, _, body = send(late)
    that(b"Request has expired" in body, "the message does not say so")
    equal(send(early)[0], 200, "status before the end")


@check
def urls_of_the_future_and_for_too_long_are_refused(bucket):
    put(bucket, "key")
    with aws.clock(3600):
        future = url_of("get_object", bucket, "key")
    sent_in_vain(403, "AccessDenied", future)
    url = url_of("get_object", bucket, "key", expires=604_801)
    sent_in_vain(400, "AuthorizationQueryParametersError", url)
    equal(send(url_of("get_object", bucket, "key", expires=604_800))[0], 200, "a week")


@check
def urls_of_wrong_keys_are_refused(bucket):
    put(bucket, "key")
    wrong = aws.client(secret_key="wrong" * 8)
    sent_in_vain(403, "SignatureDoesNotMatch", url_of("get_object", bucket, "key", wrong))
    unknown = aws.client(access_key="AKIAUNKNOWNUNKNOWN00")
    sent_in_vain(403, "InvalidAccessKeyId", url_of("get_object", bucket, "key", unknown))


def post(form, content, fields=None, boundary="----crosscheck"):
    """Sends a form as a browser does."""
    fields = {**form["fields"], **(fields or {})}
    lines = []
    for name, value in fields.items():
        if value is not None:
            lines.append(f'--{boundary}\r\nContent-Disposition: form-data; name="{name}"\r\n\r\n{value}\r\n')
    lines.append(
        f'--{boundary}\r\nContent-Disposition: form-data; name="file"; filename="a b.txt"\r\n'
        "Content-Type: text/plain\r\n\r\n"
    )
    body = "".join(lines).encode() + content + f"\r\n--{boundary}--\r\n".encode()
    kind = f"multipart/form-data; boundary={boundary}"
    return send(form["url"], "POST", body, {"Content-Type": kind})


def refused_post(status, codes, *arguments, **options):
    found, _, body = post(*arguments, **options)
    if found != status or code_of(body) not in codes:
        raise AssertionError(f"{found} {body[:300]!r} instead of {(status, codes)}")


@check
def forms_put_objects(bucket):
    form = s3.generate_presigned_post(bucket, "folder/${filename}")
    content = b"content\r\n--almost a boundary\r\n"
    status, _, _ = post(form, content)
    equal(status, 204, "status")
    equal(read(bucket, "folder/a b.txt"), content, "content")


@check
def forms_set_headers_and_tell_where_the_object_is(bucket):
    fields = {
        "Content-Type": "image/png",
        "x-amz-meta-a": "b",
        "success_action_status": "201",
        "Cache-Control": "no-store",
    }
    conditions = [{name: value} for name, value in fields.items()]
    form = s3.generate_presigned_post(bucket, "key", fields, conditions)
    status, headers, body = post(form, b"content")
    equal(status, 201, "status")
    told = {element.tag.split("}")[-1]: element.text for element in ElementTree.fromstring(body)}
    equal((told["Bucket"], told["Key"]), (bucket, "key"), "bucket and key")
    equal(told["ETag"], f'"{md5(b"content")}"', "ETag")
    that(told["Location"].endswith("key"), f"Location {told['Location']}")
    head = s3.head_object(Bucket=bucket, Key="key")
    found = (head["ContentType"], head["Metadata"], head["CacheControl"])
    equal(found, ("image/png", {"a": "b"}, "no-store"), "headers")


@check
def forms_hold_to_their_conditions(bucket):
    conditions = [["content-length-range", 3, 10], ["starts-with", "$key", "user/"]]
    form = s3.generate_presigned_post(bucket, "user/key", Conditions=conditions)
    refused_post(400, ("EntityTooLarge",), form, b"x" * 11)
    refused_post(400, ("EntityTooSmall",), form, b"x" * 2)
    refused_post(403, ("AccessDenied",), form, b"12345", {"key": "other/key"})
    refused_post(403, ("AccessDenied",), form, b"12345", {"x-amz-meta-a": "not in the policy"})
    refused(404, "404", s3.head_object, Bucket=bucket, Key="user/key")
    equal(post(form, b"12345")[0], 204, "status")


@check
def forms_cannot_be_changed(bucket):
    form = s3.generate_presigned_post(bucket, "key")
    policy = json.loads(base64.b64decode(form["fields"]["policy"]))
    policy["conditions"] = [["starts-with", "$key", ""], {"bucket": bucket}]
    forged = base64.b64encode(json.dumps(policy).encode()).decode()
    refused_post(403, ("SignatureDoesNotMatch",), form, b"content", {"policy": forged})
    signature = {"x-amz-signature": "0" * 64}
    refused_post(403, ("SignatureDoesNotMatch",), form, b"content", signature)
    refused_post(403, ("AccessDenied",), form, b"content", {"key": "other"})
    refused(404, "404", s3.head_object, Bucket=bucket, Key="key")


@check
def forms_expire(bucket):
    with aws.clock(-600):
        form = s3.generate_presigned_post(bucket, "key", ExpiresIn=300)
    refused_post(403, ("AccessDenied",), form, b"content")
    refused(404, "404", s3.head_object, Bucket=bucket, Key="key")


if __name__ == "__main__":
    main(fresh_bucket, everything_can_be_removed)
