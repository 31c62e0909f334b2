"""The checker of answers by itself: that it notices what is wrong, and nothing else."""

from botocore.session import get_session

from checks import check, equal, main
from model import Walk

MODEL = get_session().get_service_model("ec2")
NAMESPACE = 'xmlns="http://ec2.amazonaws.com/doc/2016-11-15"'


def wrong(operation, body, *, status=200, kind="text/xml;charset=UTF-8", model=MODEL):
    walk = Walk(model, model.operation_model(operation))
    walk.answer(status, {"content-type": kind}, body.encode())
    return [f"{where}: {what}" for where, what in walk.wrong]


def answer(operation, content, request="<requestId>r</requestId>"):
    return wrong(
        operation, f"<{operation}Response {NAMESPACE}>{request}{content}</{operation}Response>"
    )


def instance(content):
    return answer(
        "DescribeInstances",
        "<reservationSet><item><instancesSet><item>"
        f"{content}</item></instancesSet></item></reservationSet>",
    )


IN = "/reservationSet/item/instancesSet/item/"


@check
def right_answers_are_right():
    equal(answer("CreateTags", "<return>true</return>"), [], "without an output")
    equal(answer("DescribeInstances", "<reservationSet/>"), [], "an empty list")
    right = (
        "<instanceId>i-1</instanceId><amiLaunchIndex>0</amiLaunchIndex><ebsOptimized>false"
        "</ebsOptimized><launchTime>2026-01-31T23:59:59.000Z</launchTime><instanceType>t3.micro"
        "</instanceType><instanceState><code>16</code><name>running</name></instanceState>"
    )
    equal(instance(right), [], "an instance")


@check
def unknown_elements_are_wrong():
    equal(instance("<instanceID>i-1</instanceID>"), [f"{IN}instanceID: is not in the model"])
    equal(answer("CreateTags", "<tagSet/>"), ["/tagSet: is not in the model"])


@check
def repeated_elements_are_wrong():
    twice = "<instanceId>a</instanceId><instanceId>b</instanceId>"
    equal(instance(twice), [f"{IN}instanceId: is there more than once"])


@check
def values_have_their_type():
    equal(instance("<amiLaunchIndex>x</amiLaunchIndex>"), [f"{IN}amiLaunchIndex: `x` is no integer"])
    equal(instance("<amiLaunchIndex>3000000000</amiLaunchIndex>"), [
        f"{IN}amiLaunchIndex: `3000000000` is no integer"
    ])
    equal(instance("<ebsOptimized>True</ebsOptimized>"), [f"{IN}ebsOptimized: `True` is no boolean"])
    equal(instance("<launchTime>today</launchTime>"), [f"{IN}launchTime: `today` is no timestamp"])
    equal(instance("<instanceType>z9</instanceType>"), [
        f"{IN}instanceType: `z9` is none of the values of InstanceType"
    ])
    equal(instance("<instanceId><a/></instanceId>"), [f"{IN}instanceId: has elements, such as a"])


@check
def lists_have_items():
    member = answer("DescribeInstances", "<reservationSet><member/></reservationSet>")
    equal(member, ["/reservationSet/member: is in a list of `item`"])
    equal(instance("<tagSet>text</tagSet>"), [f"{IN}tagSet: is text, and not a list"])


@check
def answers_have_a_root_an_id_and_a_namespace():
    equal(answer("CreateTags", "", request=""), [": there is no requestId"])
    other = wrong("CreateTags", f"<Other {NAMESPACE}><requestId>r</requestId></Other>")
    equal(len(other), 1, "another root")
    bare = wrong("CreateTags", "<CreateTagsResponse><requestId>r</requestId></CreateTagsResponse>")
    equal(
        bare,
        ["/CreateTagsResponse: is in another namespace", "/requestId: is in another namespace"],
        "without a namespace",
    )
    typed = wrong(
        "CreateTags",
        f"<CreateTagsResponse {NAMESPACE}><requestId>r</requestId></CreateTagsResponse>",
        kind="application/json",
    )
    equal(typed, [": Content-Type is `application/json`"])


@check
def errors_have_a_form():
    body = (
        "<Response><Errors><Error><Code>c</Code><Message>m</Message></Error></Errors>"
        "<RequestID>r</RequestID></Response>"
    )
    equal(wrong("CreateTags", body, status=400), [], "an error")
    body = "<ErrorResponse><Error><Code>c</Code></Error></ErrorResponse>"
    equal(len(wrong("CreateTags", body, status=400)), 1, "another form")


@check
def json_has_names_and_types():
    model = get_session().get_service_model("ssm")

    def told(body, status=200):
        kind = "application/x-amz-json-1.1"
        return wrong("GetParameter", body, status=status, kind=kind, model=model)

    equal(told('{"Parameter": {"Name": "a", "Version": 1, "LastModifiedDate": 1.5}}'), [])
    equal(told('{"Parameter": {"name": "a"}}'), ["/Parameter/name: is not in the model"])
    equal(told('{"Parameter": {"Version": "1"}}'), ["/Parameter/Version: '1' is no long"])
    equal(told('{"Parameter": {"Type": "Text"}}'), [
        "/Parameter/Type: `Text` is none of the values of ParameterType"
    ])
    equal(told('{"__type": "ParameterNotFound", "message": "m"}', 400), [])
    equal(len(told('{"error": "x"}', 400)), 1, "an error of another form")


if __name__ == "__main__":
    main()
