"""Bodies of JSON files."""

from __future__ import annotations

from hyperbox.go.text import quote
from hyperbox.hcl.body import Content, Schema
from hyperbox.hcl.positions import Diagnostic, Range, between, did_you_mean
from hyperbox.hcl.syntax import Attribute, Block, Expression, JsonArray, JsonObject, JsonText, Literal, start_range

Problems = list[Diagnostic]
_WRONG = "Incorrect JSON value type"


class JsonBody:
    """A body that is a JSON object, or an array of them."""

    __slots__ = ("hidden", "node")

    def __init__(self, node: Expression, hidden: frozenset[str] = frozenset()) -> None:
        self.node = node
        self.hidden = hidden

    @property
    def missing_range(self) -> Range:
        return self.node.close_range if isinstance(self.node, JsonObject) else start_range(self.node)

    def take(self, schema: Schema, problems: Problems) -> tuple[Content, JsonBody]:
        """Return what a schema names, and a body of the rest."""
        attributes: dict[str, Attribute] = {}
        blocks: list[Block] = []
        used = set(self.hidden)
        for key, value in _properties(self.node, None, problems):
            name = key.text
            if name in self.hidden:
                continue
            if name in schema.attributes:
                if name in attributes:
                    detail = f"The argument {quote(name)} was already set at {attributes[name].range}."
                    problems.append(Diagnostic("Duplicate argument", detail, key.range))
                    continue
                attributes[name] = Attribute(name, value, between(key.range, value.range), key.range)
                used.add(name)
            elif name in schema.blocks:
                _unpack(value, name, key.range, schema.blocks[name], (), blocks, problems)
                used.add(name)
        for name, required in schema.attributes.items():
            if required and name not in attributes:
                detail = f"The argument {quote(name)} is required, but no definition was found."
                problems.append(Diagnostic("Missing required argument", detail, self.missing_range))
        return Content(attributes, blocks), JsonBody(self.node, frozenset(used))

    def take_all(self, schema: Schema, problems: Problems) -> Content:
        """Return what a schema names; tell of everything else."""
        content, rest = self.take(schema, problems)
        known = [name for name in schema.attributes if name not in rest.hidden] + list(schema.blocks)
        for key, _ in _properties(self.node, None, []):
            if key.text != "//" and key.text not in rest.hidden:
                detail = f"No argument or block type is named {quote(key.text)}.{did_you_mean(key.text, known)}"
                problems.append(Diagnostic("Extraneous JSON object property", detail, key.range))
        return content

    def only_attributes(self, problems: Problems) -> dict[str, Attribute]:
        """Return the attributes that were not taken out."""
        found: dict[str, Attribute] = {}
        if not isinstance(self.node, JsonObject):
            detail = "A JSON object is required here, setting the arguments for this block."
            problems.append(Diagnostic(_WRONG, detail, start_range(self.node)))
            return found
        for key, value in self.node.items:
            name = key.text
            if name == "//" or name in self.hidden:
                continue
            if name in found:
                detail = f"The argument {quote(name)} was already set at {found[name].range}."
                problems.append(Diagnostic("Duplicate attribute definition", detail, key.range))
                continue
            found[name] = Attribute(name, value, between(key.range, value.range), key.range)
        return found

    def without(self, names: set[str]) -> JsonBody:
        return JsonBody(self.node, self.hidden | names)


def _properties(node: Expression, label: str | None, problems: Problems) -> list[tuple[JsonText, Expression]]:
    """Return the properties of an object, or of all objects of an array."""
    if isinstance(node, JsonObject):
        return list(node.items)
    if isinstance(node, Literal) and node.value.null:
        return []
    purpose = "to define arguments and child blocks" if label is None else f"to specify {label} labels for this block"
    if isinstance(node, JsonArray):
        found: list[tuple[JsonText, Expression]] = []
        for item in node.items:
            if isinstance(item, JsonObject):
                found += item.items
            else:
                detail = f"A JSON object is required here, {purpose}."
                problems.append(Diagnostic(_WRONG, detail, start_range(item)))
        return found
    detail = f"Either a JSON object or JSON array of objects is required here, {purpose}."
    problems.append(Diagnostic(_WRONG, detail, start_range(node)))
    return []


def _unpack(
    node: Expression,
    type: str,
    type_range: Range,
    labels: tuple[str, ...],
    used: tuple[JsonText, ...],
    blocks: list[Block],
    problems: Problems,
) -> None:
    """Make blocks of an object whose properties are labels, as many levels deep as there are labels."""
    if labels:
        properties = _properties(node, labels[0], problems)
        if not properties:
            detail = f"At least one object property is required, whose name represents the {type} block's {labels[0]}."
            problems.append(Diagnostic("Missing block label", detail, start_range(node)))
        for key, value in properties:
            _unpack(value, type, type_range, labels[1:], (*used, key), blocks, problems)
        return
    if isinstance(node, Literal) and node.value.null:
        return
    if not isinstance(node, JsonObject | JsonArray):
        detail = f"Either a JSON object or a JSON array is required, representing the contents of one or more {quote(type)} blocks."
        problems.append(Diagnostic(_WRONG, detail, start_range(node)))
        return
    for each in node.items if isinstance(node, JsonArray) else (node,):
        assert not isinstance(each, tuple)
        blocks.append(
            Block(
                type,
                tuple(key.text for key in used),
                JsonBody(each),
                type_range=type_range,
                label_ranges=tuple(key.range for key in used),
                open_range=node.open_range,
                definition_range=node.open_range,
            )
        )
