"""From the bytes of a YAML stream to nodes with lines: libyaml's events, held within bounds.

The stream is untrusted: depth and size are limited here, aliases are kept as references (`yaml_values` bounds their expansion).
Error texts are those of Go's yaml.v3, which is a translation of libyaml and words its problems alike.
"""

from __future__ import annotations

from typing import Any, Final

import yaml

from hyperbox.compose import yaml_dialect

SCALAR: Final = 0
SEQUENCE: Final = 1
MAPPING: Final = 2
ALIAS: Final = 3

# a compose file nests fewer than 15 levels; each level costs the walkers a frame or two
DEPTH = 200
# nodes of one stream: some 60,000 lines
NODES = 250_000
# bytes of a broken stream that are scanned a second time, for the words of its error
AHEAD_SIZE = 256 << 10

_LONG_TAG = "tag:yaml.org,2002:"


class YamlError(ValueError):
    """A stream that is not YAML, or not acceptable; its text starts with "yaml: " as docker compose shows it.

    `place` is "LINE:COLUMN", counted from one, where libyaml tells it, or "": yaml.v3's own line is often one off and has no column.
    """

    def __init__(self, text: str, place: str = "") -> None:
        super().__init__(text)
        self.place = place


class Node:
    """A scalar (`text`, `plain`), a sequence (`items`), a mapping (`items`: key, value, key, value …) or an alias (`target`)."""

    __slots__ = ("items", "kind", "line", "plain", "tag", "target", "text")

    def __init__(self, kind: int, tag: str, line: int) -> None:
        self.kind = kind
        self.tag = tag
        self.line = line
        self.text = ""
        self.plain = False
        self.items: list[Node] = []
        self.target: Node | None = None


class Stream:
    """The documents of a stream, as far as it could be read, and what stopped the reading."""

    __slots__ = ("documents", "error")

    def __init__(self) -> None:
        self.documents: list[Node] = []
        self.error: YamlError | None = None


def read_stream(data: bytes | str) -> Stream:
    """Parse a whole stream; never raises, the error is in the result."""
    stream, problem = _read(data)
    if isinstance(data, bytes) and (yaml_dialect.needs_care(data) or isinstance(problem, yaml.scanner.ScannerError)):
        stream, problem, data = _read_with_care(data) or (stream, problem, data)
    if problem is not None:
        told = (_met_ahead(data) if isinstance(problem, yaml.parser.ParserError) else None) or problem
        mark = getattr(told, "problem_mark", None)
        place = "" if mark is None else f"{mark.line + 1}:{mark.column + 1}"
        stream.error = YamlError(f"yaml: {_problem(told)}", place)
    return stream


def _read_with_care(data: bytes) -> tuple[Stream, yaml.YAMLError | None, str] | None:
    """Parse a stream in which yaml.v3 may read characters otherwise than libyaml, as text with stand-ins; None where it can't be told."""
    text = yaml_dialect.to_text(data)
    if text is None:
        return None
    text = yaml_dialect.stand_in(text)
    for _ in range(yaml_dialect.REPLACED):
        stream, problem = _read(text)
        mark = getattr(problem, "problem_mark", None)
        if not isinstance(problem, yaml.scanner.ScannerError) or mark is None:
            break
        other = yaml_dialect.replaced(text, problem.problem or "", mark.index)
        if not other:
            break
        text = other
    return stream, problem, text


def _read(data: bytes | str) -> tuple[Stream, yaml.YAMLError | None]:
    """Parse a stream once. A string has characters that stand in for others."""
    stream, problem = Stream(), None
    composer = None
    try:
        composer = _Composer(data, stream)
        composer.run()
    except YamlError as error:
        stream.error = error
    except yaml.YAMLError as error:
        problem = error
    except UnicodeDecodeError:
        stream.error = YamlError("yaml: invalid Unicode character")
    if composer is not None:
        del stream.documents[composer.ended :]  # what did not end: it may be keys without their values
    return stream, problem


def _problem(error: yaml.YAMLError) -> str:
    """Word libyaml's error as yaml.v3 does: the line of the context if it has one beyond the first, else of the problem."""
    reason = getattr(error, "reason", None)
    if reason is not None:
        return str(reason)
    problem = getattr(error, "problem", None) or "unknown problem parsing YAML content"
    line = 0
    for mark in (getattr(error, "context_mark", None), getattr(error, "problem_mark", None)):
        if mark is not None and mark.line:
            # yaml.v3 counts lines from zero in the parser's errors and from one in the scanner's
            line = mark.line + (1 if isinstance(error, yaml.scanner.ScannerError) else 0)
            break
    return f"line {line}: {problem}" if line else problem


class _LookAhead(yaml.SafeLoader):
    """Python's own scanner and parser, reading two tokens ahead as yaml.v3 does for its comments."""

    def need_more_tokens(self) -> bool:
        return not self.done and (len(self.tokens) < 3 or bool(super().need_more_tokens()))

    def fetch_flow_collection_end(self, token: Any) -> None:
        super().fetch_flow_collection_end(token)
        self.flow_level = max(self.flow_level, 0)  # a bracket that closes nothing


def _met_ahead(data: bytes | str) -> yaml.YAMLError | None:
    """Return the scanner's error that yaml.v3 meets in the two tokens after the one that libyaml's parser stumbles over, if any."""
    if len(data) > AHEAD_SIZE:
        return None
    try:
        for _ in yaml.parse(data, _LookAhead):
            pass
    except yaml.scanner.ScannerError:
        parser = _event_parser(data)
        try:
            while parser.get_token() is not None:
                pass
        except yaml.scanner.ScannerError as error:
            return error
    except yaml.YAMLError:
        pass
    return None


def _short_tag(tag: str | None) -> str:
    if not tag:
        return ""
    return "!!" + tag[len(_LONG_TAG) :] if tag.startswith(_LONG_TAG) else tag


def _event_parser(data: bytes | str) -> Any:
    """Return libyaml's parser; Python's own where PyYAML was built without it (slower, and its errors read otherwise)."""
    try:
        from yaml.cyaml import CParser  # type: ignore[attr-defined]
    except ImportError:
        return yaml.SafeLoader(data)
    return CParser(data)


class _Composer:
    """Builds nodes from events without recursion."""

    __slots__ = ("anchors", "count", "ended", "flow", "parser", "stack", "stand_ins", "stream")

    def __init__(self, data: bytes | str, stream: Stream) -> None:
        self.parser = _event_parser(data)
        self.stream = stream
        self.stack: list[Node] = []
        self.anchors: dict[str, Node] = {}
        self.count = 0
        # how many documents are whole
        self.ended = 0
        self.stand_ins = isinstance(data, str)
        questions = "?" in data if isinstance(data, str) else b"?" in data
        self.flow = yaml_dialect.Flow() if questions else None

    def run(self) -> None:
        events = yaml.events
        scalar, alias = events.ScalarEvent, events.AliasEvent
        starts = {events.SequenceStartEvent: SEQUENCE, events.MappingStartEvent: MAPPING}
        ends = (events.SequenceEndEvent, events.MappingEndEvent)
        get_event = self.parser.get_event
        stack = self.stack
        flow, stand_ins = self.flow, self.stand_ins
        while True:
            event = get_event()
            kind = type(event)
            if kind is scalar:
                node = Node(SCALAR, _short_tag(event.tag), event.start_mark.line + 1)
                node.text = event.value
                node.plain = not event.style
                if stand_ins:
                    node.text = node.text.translate(yaml_dialect.BACK)
                if flow is not None and node.plain and "?" in node.text:
                    problem = flow.problem(event)
                    if problem:
                        raise YamlError(
                            f"yaml: {problem}", f"{event.start_mark.line + 1}:{event.start_mark.column + 1}"
                        )
                self.add(node, event.anchor)
            elif kind in starts:
                node = Node(starts[kind], _short_tag(event.tag), event.start_mark.line + 1)
                self.add(node, event.anchor)
                stack.append(node)
                if flow is not None:
                    flow.open(event, mapping=node.kind == MAPPING)
                if len(stack) > DEPTH:
                    raise YamlError(f"yaml: exceeded max depth of {DEPTH}")
            elif kind in ends:
                stack.pop()
                if flow is not None:
                    flow.opened.pop()
            elif kind is alias:
                self.add_alias(event)
            elif kind is events.DocumentEndEvent:
                self.ended = len(self.stream.documents)
            elif kind is events.DocumentStartEvent:
                if event.version and tuple(event.version) != (1, 1):
                    line = event.start_mark.line
                    raise YamlError(f"yaml: {f'line {line}: ' if line else ''}found incompatible YAML document")
            elif kind is events.StreamEndEvent or event is None:
                return

    def add_alias(self, event: Any) -> None:
        """Put an alias where it belongs; anchors of earlier documents are known, too."""
        node = Node(ALIAS, "", event.start_mark.line + 1)
        node.text = event.anchor
        node.target = self.anchors.get(event.anchor)
        if node.target is None:
            raise YamlError(f"yaml: unknown anchor '{event.anchor}' referenced")
        self.add(node, None)

    def add(self, node: Node, anchor: str | None) -> None:
        """Put a node where it belongs: into the collection that is open, or as the root of a document."""
        self.count += 1
        if self.count > NODES:
            raise YamlError(f"yaml: document has more than {NODES} nodes")
        if anchor:
            self.anchors[anchor] = node
        if self.stack:
            self.stack[-1].items.append(node)
        else:
            self.stream.documents.append(node)
