"""The bodies of several files as one."""

from __future__ import annotations

from hyperbox.hcl.body import Body, Content, Schema
from hyperbox.hcl.json_body import JsonBody
from hyperbox.hcl.positions import Diagnostic
from hyperbox.hcl.syntax import Attribute

AnyBody = Body | JsonBody
Problems = list[Diagnostic]


def take(bodies: list[AnyBody], schema: Schema, problems: Problems) -> tuple[Content, list[AnyBody]]:
    """Return what a schema names of all bodies, and the rest of each."""
    attributes: dict[str, Attribute] = {}
    blocks = []
    rests: list[AnyBody] = []
    for body in bodies:
        content, rest = body.take(schema, problems)
        attributes.update(content.attributes)
        blocks += content.blocks
        rests.append(rest)
    return Content(attributes, blocks), rests


def only_attributes(bodies: list[AnyBody], problems: Problems) -> dict[str, Attribute]:
    """Return the attributes at the top of all bodies; of several of one name the first counts."""
    found: dict[str, Attribute] = {}
    for body in bodies:
        told: Problems = []
        for name, attribute in body.only_attributes(told).items():
            found.setdefault(name, attribute)
        problems += [each for each in told if each.detail != "Blocks are not allowed here."]
    return found


def body_of(block: object) -> AnyBody:
    """Return the body of a block."""
    body = getattr(block, "body", None)
    assert isinstance(body, Body | JsonBody)
    return body
