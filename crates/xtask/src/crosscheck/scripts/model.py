"""Answers as they were sent, held against the service model that botocore ships.

botocore takes what it knows from an answer and drops the rest, so that a misspelt element looks like
one that is missing. Here the whole of an answer is walked: names of elements, how often they occur, and
the form of values.
"""

import base64
import json
import re
import xml.etree.ElementTree as ElementTree

TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{1,6})?Z")
WHOLE = re.compile(r"-?\d+")
LIMITS = {"integer": 2**31, "long": 2**63}
XML_TYPES = ("text/xml", "application/xml")
JSON_TYPE = "application/x-amz-json-1.1"


class Watch:
    """What is wrong with the answers that clients got, and how many there were of each operation."""

    def __init__(self):
        self.wrong = {}
        self.answers = {}

    def add(self, client):
        """Looks at all answers that a client gets from now on."""
        model = client.meta.service_model

        def look(event_name, response_dict=None, **_):
            # Without an answer there is nothing to look at.
            if response_dict is not None:
                operation = model.operation_model(event_name.rsplit(".", 1)[-1])
                self.look(model, operation, response_dict)

        client.meta.events.register(f"response-received.{model.service_id.hyphenize()}", look)
        return client

    def look(self, model, operation, answer):
        self.answers[operation.name] = self.answers.get(operation.name, 0) + 1
        found = Walk(model, operation)
        try:
            found.answer(answer["status_code"], answer["headers"], answer["body"])
        except (ElementTree.ParseError, ValueError) as error:
            found.report("", f"not to be read: {error}")
        for where, what in found.wrong:
            self.wrong.setdefault(f"{operation.name}{where}: {what}", None)

    def judge(self):
        """Fails if something was wrong, or there were no answers."""
        if not self.answers:
            raise AssertionError("there were no answers")
        if self.wrong:
            text = "; ".join(sorted(self.wrong))
            raise AssertionError(f"{len(self.wrong)} things: {text}")


class Walk:
    """One answer."""

    def __init__(self, model, operation):
        self.model = model
        self.operation = operation
        self.wrong = []

    def report(self, where, what):
        self.wrong.append((where, what))

    def answer(self, status, headers, body):
        kind = headers.get("content-type", "").split(";")[0].strip()
        if self.model.metadata["protocol"] == "ec2":
            if kind not in XML_TYPES:
                self.report("", f"Content-Type is `{kind}`")
            root = ElementTree.fromstring(body)
            (self.xml_error if status >= 300 else self.xml)(root)
        else:
            if kind != JSON_TYPE:
                self.report("", f"Content-Type is `{kind}`")
            document = json.loads(body)
            (self.json_error if status >= 300 else self.json)(document)

    # Query protocol of EC2.

    def xml_error(self, root):
        children = [child.tag for child in root]
        if root.tag != "Response" or children != ["Errors", "RequestID"]:
            self.report("", f"an error of the form {root.tag} with {children}")
            return
        for error in root[0]:
            names = [child.tag for child in error]
            if error.tag != "Error" or names[:2] != ["Code", "Message"]:
                self.report("", f"an error of the form {error.tag} with {names}")
            if not all(child.text for child in error):
                self.report("", "an error without a code or a message")
        if len(root[0]) == 0 or not root[1].text:
            self.report("", "an error that tells nothing, or no id")

    def xml(self, root):
        self.check_name(root, f"{self.operation.name}Response")
        shape = self.operation.output_shape
        known = {"requestId": None}
        if shape is None:
            # Operations without an output tell that they succeeded.
            known["return"] = "true"
        else:
            known.update(_members(shape))
        self.members(root, known, "")
        if not root.findtext("{*}requestId"):
            self.report("", "there is no requestId")

    def members(self, element, known, where):
        if (element.text or "").strip():
            self.report(where, f"text `{element.text.strip()[:40]}` beside elements")
        seen = set()
        for child in element:
            name = self.name(child)
            if name not in known:
                self.report(f"{where}/{name}", "is not in the model")
                continue
            if name in seen:
                self.report(f"{where}/{name}", "is there more than once")
            seen.add(name)
            shape = known[name]
            if shape is None:
                self.leaf(child, f"{where}/{name}")
            elif shape == "true":
                if child.text != "true":
                    self.report(f"{where}/{name}", f"is `{child.text}`")
            else:
                self.value(child, shape, f"{where}/{name}")

    def check_name(self, root, expected):
        if self.name(root) != expected:
            self.report("", f"the root is {root.tag}")

    def name(self, element):
        namespace, _, name = element.tag.rpartition("}")
        # The service writes the model's namespace with a slash behind it.
        if namespace.removesuffix("/") != "{" + self.model.metadata["xmlNamespace"]:
            self.report(f"/{name}", "is in another namespace")
        return name

    def value(self, element, shape, where):
        if element.attrib:
            self.report(where, "has attributes")
        if shape.type_name == "structure":
            self.members(element, _members(shape), where)
        elif shape.type_name == "list":
            if (element.text or "").strip():
                self.report(where, "is text, and not a list")
            expected = shape.member.serialization.get("name", "item")
            for child in element:
                name = self.name(child)
                if name != expected:
                    self.report(f"{where}/{name}", f"is in a list of `{expected}`")
                self.value(child, shape.member, f"{where}/{name}")
        else:
            self.leaf(element, where)
            self.scalar(element.text or "", shape, where)

    def leaf(self, element, where):
        if len(element):
            self.report(where, f"has elements, such as {element[0].tag.rpartition('}')[2]}")

    def scalar(self, text, shape, where):
        kind = shape.type_name
        if kind == "string":
            self.choice(text, shape, where)
        elif kind in LIMITS:
            if not WHOLE.fullmatch(text) or not -LIMITS[kind] <= int(text) < LIMITS[kind]:
                self.report(where, f"`{text}` is no {kind}")
        elif kind == "boolean":
            if text not in ("true", "false"):
                self.report(where, f"`{text}` is no boolean")
        elif kind in ("float", "double"):
            _parsed(float, text) or self.report(where, f"`{text}` is no {kind}")
        elif kind == "timestamp":
            if not TIME.fullmatch(text):
                self.report(where, f"`{text}` is no timestamp")
        elif kind == "blob":
            _parsed(base64.b64decode, text) or self.report(where, "is no base64")
        else:
            self.report(where, f"has the unexpected type {kind}")

    def choice(self, text, shape, where):
        values = getattr(shape, "enum", None)
        if values and text not in values:
            self.report(where, f"`{text}` is none of the values of {shape.name}")

    # JSON 1.1.

    def json_error(self, document):
        if not isinstance(document, dict) or not isinstance(document.get("__type"), str):
            self.report("", f"an error of the form {document!r:.80}")
            return
        known = {"__type", "message", "Message"}
        for shape in self.operation.error_shapes:
            if shape.name == document["__type"].rpartition("#")[2]:
                known.update(shape.members)
        unknown = sorted(set(document) - known)
        if unknown:
            self.report("", f"an error with {unknown}")

    def json(self, document):
        shape = self.operation.output_shape
        if shape is None:
            if document not in ({}, None):
                self.report("", "an answer where none is in the model")
            return
        self.json_value(document, shape, "")

    def json_value(self, value, shape, where):
        kind = shape.type_name
        if kind == "structure" and isinstance(value, dict):
            known = {
                member.serialization.get("name", name): member
                for name, member in shape.members.items()
            }
            for name, inner in value.items():
                if name not in known:
                    self.report(f"{where}/{name}", "is not in the model")
                elif inner is not None:
                    self.json_value(inner, known[name], f"{where}/{name}")
        elif kind == "list" and isinstance(value, list):
            for inner in value:
                self.json_value(inner, shape.member, f"{where}/item")
        elif kind == "map" and isinstance(value, dict):
            for inner in value.values():
                self.json_value(inner, shape.value, f"{where}/value")
        elif kind == "string" and isinstance(value, str):
            self.choice(value, shape, where)
        elif not _is_json(value, kind):
            self.report(where, f"{value!r:.40} is no {kind}")


def _members(shape):
    """Members by the names of their elements."""
    return {
        member.serialization.get("name", name): member for name, member in shape.members.items()
    }


def _parsed(parse, text):
    try:
        parse(text)
    except ValueError:
        return False
    return True


def _is_json(value, kind):
    if kind in LIMITS:
        return type(value) is int and -LIMITS[kind] <= value < LIMITS[kind]
    if kind in ("float", "double", "timestamp"):
        return type(value) in (int, float)
    return kind == "boolean" and type(value) is bool
