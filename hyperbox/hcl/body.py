"""Bodies: attributes and blocks, taken out of them by a schema."""

from __future__ import annotations

from typing import NamedTuple

from hyperbox.go.text import quote
from hyperbox.hcl.positions import Diagnostic, Range, did_you_mean

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping

    from hyperbox.hcl.syntax import Attribute, Block


class Schema(NamedTuple):
    """What a body may hold: attributes (name -> whether it is required), blocks (type -> names of its labels)."""

    attributes: Mapping[str, bool]
    blocks: Mapping[str, tuple[str, ...]] = {}


class Content(NamedTuple):
    """What a schema took out of a body."""

    attributes: dict[str, Attribute]
    blocks: list[Block]


class Body:
    """The body of a file or a block. `hidden` are the names that were taken out before."""

    __slots__ = ("attributes", "blocks", "hidden", "missing_range")

    def __init__(
        self,
        attributes: Mapping[str, Attribute],
        blocks: tuple[Block, ...],
        missing_range: Range,
        hidden: frozenset[str] = frozenset(),
    ) -> None:
        self.attributes = attributes
        self.blocks = blocks
        self.missing_range = missing_range
        self.hidden = hidden

    def take(self, schema: Schema, problems: list[Diagnostic]) -> tuple[Content, Body]:
        """Return what a schema names, and a body of the rest."""
        attributes = {}
        for name, required in schema.attributes.items():
            if name in self.attributes and f"={name}" not in self.hidden:
                attributes[name] = self.attributes[name]
            elif required:
                detail = f"The argument {quote(name)} is required, but no definition was found."
                problems.append(Diagnostic("Missing required argument", detail, self.missing_range))
        blocks = []
        for block in self.blocks:
            labels = schema.blocks.get(block.type)
            if labels is None or block.type in self.hidden:
                continue
            wrong = _wrong_labels(block, labels)
            if wrong is None:
                blocks.append(block)
            else:
                problems.append(wrong)
        hidden = self.hidden.union((f"={name}" for name in attributes), schema.blocks)
        return Content(attributes, blocks), Body(self.attributes, self.blocks, self.missing_range, hidden)

    def take_all(self, schema: Schema, problems: list[Diagnostic]) -> Content:
        """Return what a schema names; tell of everything else."""
        content, rest = self.take(schema, problems)
        for name, attribute in self.attributes.items():
            if f"={name}" not in rest.hidden:
                hint = did_you_mean(name, [each for each in schema.attributes if each not in content.attributes])
                if not hint and name in schema.blocks:
                    hint = f" Did you mean to define a block of type {quote(name)}?"
                detail = f"An argument named {quote(name)} is not expected here.{hint}"
                problems.append(Diagnostic("Unsupported argument", detail, attribute.name_range))
        for block in self.blocks:
            if block.type not in rest.hidden:
                hint = did_you_mean(block.type, schema.blocks)
                if not hint and block.type in schema.attributes:
                    hint = f" Did you mean to define argument {quote(block.type)}? If so, use the equals sign to assign it a value."
                detail = f"Blocks of type {quote(block.type)} are not expected here.{hint}"
                problems.append(Diagnostic("Unsupported block type", detail, block.type_range))
        return content

    def only_attributes(self, problems: list[Diagnostic]) -> dict[str, Attribute]:
        """Return the attributes; tell of the first block, even where it was taken out."""
        if self.blocks:
            first = self.blocks[0]
            summary = f"Unexpected {quote(first.type)} block"
            problems.append(Diagnostic(summary, "Blocks are not allowed here.", first.type_range))
        return {name: each for name, each in self.attributes.items() if f"={name}" not in self.hidden}

    def without(self, names: set[str]) -> Body:
        return Body(
            self.attributes, self.blocks, self.missing_range, self.hidden.union(names, (f"={name}" for name in names))
        )


def _wrong_labels(block: Block, labels: tuple[str, ...]) -> Diagnostic | None:
    if len(block.labels) > len(labels):
        if labels:
            detail = f"Only {len(labels)} labels ({', '.join(labels)}) are expected for {block.type} blocks."
        else:
            detail = f"No labels are expected for {block.type} blocks."
        return Diagnostic(f"Extraneous label for {block.type}", detail, block.label_ranges[len(labels)])
    if len(block.labels) < len(labels):
        detail = f"All {block.type} blocks must have {len(labels)} labels ({', '.join(labels)})."
        return Diagnostic(f"Missing {labels[len(block.labels)]} for {block.type}", detail, block.open_range)
    return None
