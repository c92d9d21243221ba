"""From YAML nodes to plain data: tags, merge keys, aliases within a budget, and the `!reset` and `!override` of compose.

https://github.com/compose-spec/compose-spec/blob/main/13-merge.md#reset-value
"""

from __future__ import annotations

import base64
import binascii

from hyperbox.compose import go
from hyperbox.compose.yaml_nodes import ALIAS, DEPTH, MAPPING, SCALAR, SEQUENCE, Node, YamlError
from hyperbox.compose.yaml_scalars import parse_timestamp, resolve
from hyperbox.errors import ComposeError
from hyperbox.go.text import quote

# how many nodes aliases may stand for, all together; so many characters of text count as another one
EXPANSION = 100_000
CHARACTERS = 200

Path = tuple[str, ...]


class Dropped:
    """Stands for a value tagged `!reset`."""

    __slots__ = ()


DROPPED = Dropped()
_MERGE_TAGS = frozenset({"", "!", "!!merge"})


class Construction:
    """Makes the value of one document; `resets` collects the paths that are to be cleared in what was merged before."""

    __slots__ = ("below", "dropped", "expanded", "failure", "kept", "odd_key", "open", "passed", "resets", "visited")

    def __init__(self) -> None:
        self.resets: list[Path] = []
        self.expanded = 0
        # the complaint about the first value that can't be decoded, and the first key that is no string: all that is wrong with the nodes,
        # and for keys all that is no YAML to docker compose, comes before it
        self.failure = ""
        self.odd_key = ""
        # the nodes that `!reset` took out: an alias to what holds them does not see them again
        self.dropped: set[int] = set()
        # how many `!override`s are open: in them docker compose looks for no more tags
        self.kept = 0
        # targets of aliases that are being expanded
        self.open: list[Node] = []
        # aliases that were looked at once: docker compose puts their targets in their places then
        self.passed: set[int] = set()
        # where aliases to a target stood, and what stands above those places
        self.visited: dict[int, dict[Path, None]] = {}
        self.below: dict[int, dict[Path, Path]] = {}

    def document(self, root: Node) -> object:
        """Return the document's value. Raises YamlError, and ComposeError for keys that are not strings."""
        value = self.value(root, (), "", 0)
        if self.failure:
            raise YamlError(self.failure)
        if self.odd_key:
            raise ComposeError(self.odd_key)
        return None if value is DROPPED else value

    def fail(self, message: str) -> None:
        """Keep the first complaint about a value."""
        self.failure = self.failure or message

    def value(self, node: Node, path: Path, shown: str, depth: int) -> object:
        """Return the value of `node` at `path`; `shown` is the path as errors print it."""
        if self.open:
            self.expanded += 1 + len(node.text) // CHARACTERS
            if self.expanded > EXPANSION:
                raise YamlError("yaml: document contains excessive aliasing")
        if node.kind == SCALAR:
            if not node.tag:
                return resolve(node.text) if node.plain else node.text
            return self.tagged(node, path)
        if depth > DEPTH:
            raise YamlError(f"yaml: exceeded max depth of {DEPTH}")
        if node.kind == ALIAS:
            return self.alias(node, path, shown, depth)
        if node.tag == "!reset" and not self.kept:
            self.resets.append(path)
            return DROPPED
        if node.tag == "!override" and not self.kept:
            self.resets.append(path)
            self.kept += 1
            value = self.collection(node, path, shown, depth)
            self.kept -= 1
            return value
        return self.collection(node, path, shown, depth)

    def collection(self, node: Node, path: Path, shown: str, depth: int) -> object:
        if node.kind == SEQUENCE:
            return self.sequence(node, path, shown, depth)
        return self.mapping(node, path, shown, depth)

    def alias(self, node: Node, path: Path, shown: str, depth: int) -> object:
        target = node.target
        assert target is not None
        self.refuse_circle(node, target, path)
        self.open.append(target)
        value = self.value(target, path, shown, depth + 1)
        self.open.pop()
        if not self.kept:
            self.passed.add(id(node))
        return value

    def refuse_circle(self, node: Node, target: Node, path: Path) -> None:
        """Raise YamlError where an alias stands below or above another place of the same alias, or within its own target."""
        text = ".".join(path)
        if any(target is each for each in self.open):
            places = self.visited.get(id(target), ())
            other = next((each for each in places if path[: len(each)] == each), path)
            raise YamlError(f"cycle detected: node at path {text} references node at path {'.'.join(other)}")
        if self.kept or "<<" in text or id(node) in self.passed:
            return
        place = tuple(text.split("."))  # names with a dot count as two
        visited = self.visited.setdefault(id(target), {})
        if place in visited:
            return
        below = self.below.setdefault(id(target), {})
        found = next((place[:end] for end in range(1, len(place)) if place[:end] in visited), None) or below.get(place)
        if found is not None:
            raise YamlError(f"cycle detected: node at path {text} references node at path {'.'.join(found)}")
        visited[place] = None
        for end in range(1, len(place)):
            below.setdefault(place[:end], place)

    def sequence(self, node: Node, path: Path, shown: str, depth: int) -> object:
        values: list[object] = []
        for index, item in enumerate(node.items):
            if id(item) in self.dropped:
                continue
            value = self.value(item, (*path, str(index)), f"{shown}[{index}]", depth + 1)
            if value is DROPPED:
                self.dropped.add(id(item))
            else:
                values.append(value)
        return values

    def mapping(self, node: Node, path: Path, shown: str, depth: int) -> object:
        items = node.items
        result: dict[str, object] = {}
        seen: dict[str, int] = {}
        merged: object = None
        late = ""
        for index in range(0, len(items), 2):
            key_node, value_node = items[index], items[index + 1]
            if id(value_node) in self.dropped:
                continue
            name = key_node.text
            if name in seen and key_node.kind in (SCALAR, ALIAS):
                self.refuse_twice(key_node, seen[name])
            seen[name] = key_node.line
            if name == "<<" and key_node.plain and key_node.tag in _MERGE_TAGS:
                failure, self.failure = self.failure, ""
                merged = self.merge(value_node, path, shown, depth)
                late, self.failure = self.failure, failure
                continue
            key = name if key_node.kind == SCALAR and not key_node.plain else self.key(key_node, shown)
            below = f"{shown}.{key}" if shown else key
            value = self.value(value_node, (*path, key), below, depth + 1)
            if value is DROPPED:
                self.dropped.add(id(value_node))
            else:
                result[key] = value
        if isinstance(merged, dict):
            for key, value in merged.items():
                result.setdefault(key, value)
        self.fail(late)  # what is merged is decoded last
        return result

    def refuse_twice(self, key: Node, line: int) -> None:
        message = f"line {key.line}: mapping key {quote(key.text)} already defined at line {line}"
        if not self.kept:
            raise YamlError(message)
        self.fail(f"yaml: unmarshal errors:\n  {message}")

    def key(self, node: Node, shown: str) -> str:
        """Return a mapping key, which has to be a string."""
        target = node.target if node.kind == ALIAS and node.target else node
        if target.kind in (SEQUENCE, MAPPING):
            self.fail("yaml: invalid map key: " + go.syntax(self.value(target, (), "", 0)))
            return ""
        if target.tag in ("!reset", "!override"):
            return target.text  # tags of keys are not looked at
        value = self.value(target, (), "", 0)
        if isinstance(value, str):
            return value
        where = f"in {shown}" if shown else "at top level"
        self.odd_key = self.odd_key or f"non-string key {where}: {go.sprint(value)}"
        return go.sprint(value)

    def merge(self, node: Node, path: Path, shown: str, depth: int) -> dict[str, object]:
        """Return what a merge key brings: a mapping, or a list of them, the first having precedence."""
        target = node.target if node.kind == ALIAS and node.target else node
        if target.kind == MAPPING:
            value = self.value(node, path, shown, depth + 1)
            return value if isinstance(value, dict) else {}
        if target.kind != SEQUENCE or node.kind == ALIAS:
            self.value(node, path, shown, depth + 1)
            self.fail("yaml: map merge requires map or sequence of maps as the value")
            return {}
        result: dict[str, object] = {}
        for index, item in enumerate(target.items):
            actual = item.target if item.kind == ALIAS and item.target else item
            value = self.value(item, (*path, str(index)), shown, depth + 1)
            if actual.kind != MAPPING:
                self.fail("yaml: map merge requires map or sequence of maps as the value")
            elif isinstance(value, dict):
                for key, inner in value.items():
                    result.setdefault(key, inner)
        return result

    def tagged(self, node: Node, path: Path) -> object:
        """Return the value of a scalar with a tag."""
        tag, text = node.tag, node.text
        if tag in ("!reset", "!override"):
            if not self.kept:
                self.resets.append(path)
            return text if self.kept or tag == "!override" else DROPPED
        if tag == "!":
            return resolve(text) if node.plain else text
        if tag == "!!binary":
            try:
                content = base64.b64decode(text.replace("\n", "").replace("\r", ""), validate=True)
                return content.decode("utf-8", "surrogateescape")
            except (binascii.Error, ValueError):
                self.fail("yaml: !!binary value contains invalid base64 data")
                return text
        value, problem = _cast(tag, text)
        if problem:
            self.fail(problem)
        return value


_TYPES: dict[type, str] = {bool: "!!bool", int: "!!int", float: "!!float", str: "!!str", go.Timestamp: "!!timestamp"}


def _cast(tag: str, text: str) -> tuple[object, str]:
    """Return `text` as the type that one of YAML's own tags names, and what is wrong with it; other tags leave it a string."""
    if tag not in ("!!bool", "!!int", "!!float", "!!null", "!!timestamp"):
        return text, ""
    value = (parse_timestamp(text) if tag == "!!timestamp" else None) or resolve(text)
    found = "!!null" if value is None else _TYPES[type(value)]
    if found == tag:
        return value, ""
    if tag == "!!float" and isinstance(value, int) and not isinstance(value, bool):
        return float(value), ""
    return text, f"yaml: cannot decode {found} `{text}` as a {tag}"


def top_level_name(root: Node) -> str:
    """Return the scalar that stands at the key "name" of a document's root, or ""."""
    if root.kind != MAPPING:
        return ""
    for index in range(0, len(root.items), 2):
        if root.items[index].text == "name":
            value = root.items[index + 1]
            target = value.target if value.kind == ALIAS and value.target else value
            empty = target.kind != SCALAR or (target.plain and not target.tag and resolve(target.text) is None)
            return "" if empty else target.text
    return ""


def top_level_problem(root: Node) -> str:
    """Return yaml.v3's complaint about a root that isn't a mapping with unique keys and a scalar name, or ""."""
    problem = ""
    if root.kind != MAPPING:
        plain = root.kind == SCALAR and root.plain and not root.tag
        if plain and resolve(root.text) is None:
            return ""
        tag = _scalar_tag(root) if root.kind == SCALAR else "!!seq"
        shown = f" `{_shortened(root.text)}`" if root.kind == SCALAR else ""
        problem = f"line {root.line}: cannot unmarshal {tag}{shown} into cli.named"
    else:
        lines: list[str] = []
        twice: list[str] = []
        seen: dict[tuple[int, str], int] = {}
        for index in range(0, len(root.items), 2):
            key, value = root.items[index], root.items[index + 1]
            if (key.kind, key.text) in seen:
                first = seen[key.kind, key.text]
                twice.append(f"line {key.line}: mapping key {quote(key.text)} already defined at line {first}")
            seen.setdefault((key.kind, key.text), key.line)
            if key.kind in (SEQUENCE, MAPPING):
                tag = "!!seq" if key.kind == SEQUENCE else "!!map"
                lines.append(f"line {key.line}: cannot unmarshal {tag} into string")
            elif key.text == "name" and value.kind in (SEQUENCE, MAPPING):
                tag = "!!seq" if value.kind == SEQUENCE else "!!map"
                lines.append(f"line {value.line}: cannot unmarshal {tag} into string")
        problem = "\n  ".join(twice or lines)
    return f"yaml: unmarshal errors:\n  {problem}" if problem else ""


def _scalar_tag(node: Node) -> str:
    if node.tag:
        return node.tag
    return _TYPES[type(resolve(node.text))] if node.plain else "!!str"


def _shortened(text: str) -> str:
    return text if len(text) <= 10 else text[:7] + "..."
