"""boto3: who may, and who may not: signatures, roles, metadata of instances."""

import datetime
import os
from unittest import mock

from botocore.utils import InstanceMetadataFetcher

import aws
from aws import everything_can_be_removed, fresh_bucket, header, put, refused, s3, status
from checks import TARGET, check, equal, main, that

ROLE = "arn:aws:iam::111122223333:role/reader"


def sts(**arguments):
    return aws.client("sts", endpoint=TARGET["sts"], **arguments)


def session(client=None, **arguments):
    """Credentials of a role, as the arguments of a client."""
    arguments = {"RoleArn": ROLE, "RoleSessionName": "crosscheck", **arguments}
    given = (client or sts()).assume_role(**arguments)["Credentials"]
    return {
        "access_key": given["AccessKeyId"],
        "secret_key": given["SecretAccessKey"],
        "token": given["SessionToken"],
    }


@check
def wrong_secrets_are_refused(bucket):
    wrong = aws.client(secret_key="wrong" * 8)
    code = "SignatureDoesNotMatch"
    refused(403, code, wrong.list_objects_v2, Bucket=bucket)
    refused(403, code, wrong.put_object, Bucket=bucket, Key="key", Body=b"content")
    refused(403, code, wrong.list_buckets)
    refused(403, "403", wrong.head_object, Bucket=bucket, Key="key")
    refused(404, "404", s3.head_object, Bucket=bucket, Key="key")


@check
def unknown_keys_are_refused(bucket):
    unknown = aws.client(access_key="AKIAUNKNOWNUNKNOWN00")
    refused(403, "InvalidAccessKeyId", unknown.list_objects_v2, Bucket=bucket)
    refused(403, "InvalidAccessKeyId", unknown.list_buckets)


@check
def nobody_is_refused(bucket):
    put(bucket, "key")
    nobody = aws.anonymous()
    refused(403, "AccessDenied", nobody.get_object, Bucket=bucket, Key="key")
    refused(403, "AccessDenied", nobody.put_object, Bucket=bucket, Key="key", Body=b"")
    refused(403, "AccessDenied", nobody.list_objects_v2, Bucket=bucket)


@check
def clocks_that_are_wrong_are_refused(bucket):
    for minutes, accepted in ((-20, False), (20, False), (-10, True), (10, True)):
        client = aws.client()
        with aws.clock(60 * minutes):
            if accepted:
                client.list_objects_v2(Bucket=bucket)
            else:
                code = "RequestTimeTooSkewed"
                error = refused(403, code, client.list_objects_v2, Bucket=bucket)
                that(error["Error"].get("ServerTime"), "the time of the server is not told")


@check
def headers_that_were_changed_are_refused(bucket):
    client = aws.client()

    def change(request, **_):
        request.headers["x-amz-meta-a"] = "changed"

    client.meta.events.register_last("before-send.s3.PutObject", change)
    arguments = {"Bucket": bucket, "Key": "key", "Body": b"", "Metadata": {"a": "b"}}
    refused(403, "SignatureDoesNotMatch", client.put_object, **arguments)


@check
def signatures_are_for_one_service_and_region(bucket):
    answers = []

    def keep(parsed_response, **_):
        error = parsed_response.get("Error", {})
        answers.append((status(parsed_response), error.get("Code"), error.get("Region")))

    client = aws.client(region="eu-west-1")
    client.meta.events.register("response-received.s3.ListObjectsV2", keep)
    # Botocore signs again, for the region that the refusal tells.
    client.list_objects_v2(Bucket=bucket)
    expected = [(400, "AuthorizationHeaderMalformed", "us-east-1"), (200, None, None)]
    equal(answers, expected, "answers")


@check
def the_caller_knows_who_it_is(_bucket):
    identity = sts().get_caller_identity()
    that(identity["Account"].isdigit() and len(identity["Account"]) == 12, "Account")
    that(identity["Arn"].startswith("arn:aws:iam::"), f"Arn {identity['Arn']}")
    wrong = sts(secret_key="wrong" * 8)
    refused(403, "SignatureDoesNotMatch", wrong.get_caller_identity)
    unknown = sts(access_key="AKIAUNKNOWNUNKNOWN00")
    refused(403, "InvalidClientTokenId", unknown.get_caller_identity)


@check
def roles_can_be_assumed(bucket):
    given = sts().assume_role(RoleArn=ROLE, RoleSessionName="crosscheck", DurationSeconds=900)
    remaining = given["Credentials"]["Expiration"] - datetime.datetime.now(datetime.timezone.utc)
    that(840 <= remaining.total_seconds() <= 910, f"{remaining} remain")
    arn = given["AssumedRoleUser"]["Arn"]
    that(arn.endswith(":assumed-role/reader/crosscheck"), f"Arn {arn}")
    role = session()
    client = aws.client(**role)
    client.put_object(Bucket=bucket, Key="key", Body=b"content")
    equal(client.get_object(Bucket=bucket, Key="key")["Body"].read(), b"content", "content")
    equal(sts(**role).get_caller_identity()["Arn"], arn, "who it is")


@check
def roles_need_their_token(bucket):
    role = session()
    without = aws.client(**{**role, "token": None})
    refused(403, ("InvalidAccessKeyId", "InvalidToken"), without.list_objects_v2, Bucket=bucket)
    wrong = aws.client(**{**role, "token": "wrong"})
    refused(400, "InvalidToken", wrong.list_objects_v2, Bucket=bucket)
    other = aws.client(**{**role, "token": session()["token"]})
    refused(400, "InvalidToken", other.list_objects_v2, Bucket=bucket)


@check
def roles_sign_urls(bucket):
    import urllib.request

    put(bucket, "key", b"content")
    client = aws.client(**session())
    url = client.generate_presigned_url("get_object", {"Bucket": bucket, "Key": "key"})
    with urllib.request.urlopen(url, timeout=20) as answer:
        equal(answer.read(), b"content", "content")


@check
def roles_last_as_long_as_they_may(_bucket):
    client = sts(parameter_validation=False)
    for seconds in (899, 43_201):
        arguments = {"RoleArn": ROLE, "RoleSessionName": "crosscheck", "DurationSeconds": seconds}
        refused(400, "ValidationError", client.assume_role, **arguments)


@check
def tokens_of_identity_providers_are_exchanged(bucket):
    unsigned = sts(signature_version=aws.UNSIGNED)
    answer = unsigned.assume_role_with_web_identity(
        RoleArn=ROLE, RoleSessionName="crosscheck", WebIdentityToken="header.payload.signature"
    )
    given = answer["Credentials"]
    client = aws.client(
        access_key=given["AccessKeyId"],
        secret_key=given["SecretAccessKey"],
        token=given["SessionToken"],
    )
    client.list_objects_v2(Bucket=bucket)


@check
def instances_have_credentials(bucket):
    with mock.patch.dict(os.environ, {"AWS_EC2_METADATA_DISABLED": "false"}):
        fetcher = InstanceMetadataFetcher(base_url=TARGET["imds"], num_attempts=1)
        given = fetcher.retrieve_iam_role_credentials()
    that(given.get("access_key"), f"no credentials: {sorted(given)}")
    client = aws.client(
        access_key=given["access_key"], secret_key=given["secret_key"], token=given["token"]
    )
    client.list_objects_v2(Bucket=bucket)


@check
def instances_tell_their_region(_bucket):
    from botocore.utils import InstanceMetadataRegionFetcher

    with mock.patch.dict(os.environ, {"AWS_EC2_METADATA_DISABLED": "false"}):
        fetcher = InstanceMetadataRegionFetcher(base_url=TARGET["imds"], num_attempts=1)
        equal(fetcher.retrieve_region(), "us-east-1", "region")


@check
def metadata_is_given_against_a_token_only(_bucket):
    import urllib.error
    import urllib.request

    try:
        urllib.request.urlopen(f"{TARGET['imds'].rstrip('/')}/latest/meta-data/", timeout=20)
    except urllib.error.HTTPError as error:
        equal(error.code, 401, "status")
    else:
        raise AssertionError("given without a token")


@check
def requests_have_ids(bucket):
    answer = s3.list_objects_v2(Bucket=bucket)
    that(header(answer, "x-amz-request-id") and header(answer, "x-amz-id-2"), "no ids")
    error = refused(404, "NoSuchKey", s3.get_object, Bucket=bucket, Key="missing")
    equal(error["ResponseMetadata"]["RequestId"], header(error, "x-amz-request-id"), "RequestId")


if __name__ == "__main__":
    main(fresh_bucket, everything_can_be_removed)
