"""What holds for every compose file: faults are told in our own errors, merging is associative, and the canonical form is its own."""

from __future__ import annotations

import contextlib
import copy

import yaml
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from hyperbox.compose.fields import SERVICE
from hyperbox.compose.interpolate import interpolate
from hyperbox.compose.load import load
from hyperbox.compose.merge import merge
from hyperbox.compose.model import LoadOptions, Project, ignore_warning
from hyperbox.compose.render import project_to_json, project_to_yaml
from hyperbox.compose.unique import enforce_unicity
from hyperbox.errors import ComposeError, HyperBoxError

NAMES = st.sampled_from(["a", "b", "c", "A_B", "web-1"])
VALUES = st.sampled_from(
    ["", "1", "x", "true", "a=b", "$", "${A}", "é", "1e400", "0o7", "-1", "null", "\x00", "\ud800"]
)
PIECES = st.sampled_from(
    [
        "$",
        "$$",
        "${",
        "}",
        "{",
        ":-",
        "-",
        ":?",
        "?",
        ":+",
        "+",
        "A",
        "B_1",
        "1",
        ":",
        "\n",
        " ",
        "\\",
        '"',
        "é",
        "\x00",
        "\ud800",
    ]
)
TEMPLATES = st.one_of(st.lists(PIECES, max_size=30).map("".join), st.text(max_size=40))
# attributes of which each has its own cast
PATHS = st.sampled_from(
    ["hostname", "scale", "cpus", "privileged", "pids_limit", "cpu_percent", "oom_score_adj", "mem_limit"]
)


@settings(max_examples=400, deadline=None, derandomize=True)
@given(TEMPLATES, PATHS, st.dictionaries(st.sampled_from(["A", "B_1", "a", "AA"]), VALUES | st.text(max_size=5)))
def test_interpolation_tells_every_fault_itself(template: str, key: str, variables: dict[str, str]) -> None:
    document: dict[str, object] = {"services": {"a": {key: template}}, "x-a": [template, {template: template}]}
    try:
        result = interpolate(document, variables, ignore_warning)
    except ComposeError:
        return
    assert set(result) == set(document)
    if "$" not in template:
        assert result["x-a"] == [template, {template: template}]


SCALARS = st.sampled_from(["x", "y", 1, True, 2.5])
LABELS = st.one_of(
    st.dictionaries(st.sampled_from(["k", "l", "m"]), SCALARS | st.none(), max_size=3),
    st.lists(st.sampled_from(["k=1", "k=2", "l", "m="]), max_size=3),
)
TEXTS = st.lists(st.sampled_from(["1", "2", "80:80", "x"]), max_size=3)
SERVICES = st.fixed_dictionaries(
    {},
    optional={
        "image": st.sampled_from(["x", "y"]),
        "command": st.sampled_from([["a"], ["b", "c"], "d"]),
        "environment": LABELS,
        "labels": LABELS,
        "sysctls": LABELS,
        "expose": TEXTS,
        "ports": TEXTS,
        "cap_add": TEXTS,
        "dns": TEXTS | st.sampled_from(["9.9.9.9"]),
        "tmpfs": TEXTS | st.sampled_from(["/x"]),
        "build": st.fixed_dictionaries({}, optional={"context": st.just("."), "args": LABELS, "target": SCALARS}),
        "depends_on": st.lists(NAMES, unique=True, max_size=2)
        | st.dictionaries(NAMES, st.just({"condition": "service_healthy"}), max_size=2),
        "networks": st.lists(NAMES, unique=True, max_size=2)
        | st.dictionaries(NAMES, st.none() | st.builds(lambda names: {"aliases": names}, TEXTS), max_size=2),
        "ulimits": st.dictionaries(st.just("nofile"), st.sampled_from([1, {"soft": 1, "hard": 2}])),
        "healthcheck": st.fixed_dictionaries({}, optional={"test": TEXTS, "retries": st.integers(0, 3)}),
        "x-own": st.dictionaries(NAMES, SCALARS, max_size=2),
    },
)
DOCUMENTS = st.fixed_dictionaries(
    {"services": st.dictionaries(st.sampled_from(["a", "b"]), SERVICES, max_size=2)},
    optional={
        "volumes": st.dictionaries(NAMES, st.fixed_dictionaries({}, optional={"labels": LABELS}), max_size=2),
        "x-top": st.dictionaries(NAMES, TEXTS, max_size=2),
    },
)


def merged(*documents: dict[str, object]) -> dict[str, object] | str:
    """Merge copies from left to right; the message where that is refused."""
    result: dict[str, object] = copy.deepcopy(documents[0])
    try:
        for document in documents[1:]:
            result = merge(result, copy.deepcopy(document))
    except ComposeError as error:
        return error.message
    return result


@settings(max_examples=250, deadline=None, derandomize=True, suppress_health_check=[HealthCheck.too_slow])
@given(DOCUMENTS, DOCUMENTS, DOCUMENTS)
def test_merging_is_associative(first: dict[str, object], second: dict[str, object], third: dict[str, object]) -> None:
    inner = merged(second, third)
    left = merged(first, second, third)
    if isinstance(inner, str) or isinstance(left, str):
        return
    right = merged(first, inner)
    assert isinstance(right, dict)
    assert enforce_unicity(left) == enforce_unicity(right)


def loaded(text: str | bytes) -> Project:
    """Load a file that comes from standard input, in a folder that isn't there."""
    options = LoadOptions(
        files=("-",), project_directory="/nowhere", working_dir="/nowhere", environment={"A": "1"}, stdin=text
    )
    return load(options)


def shown(project: Project) -> str:
    """Return what `config` prints."""
    return project_to_yaml(project).replace("$", "$$")


YAML_PIECES = st.sampled_from(
    [
        *(
            "services:\n",
            "  a:\n",
            "    image: x\n",
            "    ports: [80]\n",
            "name: p\n",
            "x-a: &a ",
            "*a",
            "<<: *a\n",
            "- ",
            ": ",
            "? ",
            "\n",
        ),
        *(
            "  ",
            "{",
            "}",
            "[",
            "]",
            "!!int ",
            "!!binary ",
            "!!set ",
            "!reset ",
            "!override ",
            "|\n",
            ">-\n",
            "'",
            '"',
            "---\n",
            "...\n",
            "%YAML 1.1\n",
        ),
        *(
            "~",
            ".inf",
            "0x1f",
            "1e3",
            "2001-01-01",
            "12:30:45",
            "\t",
            "#",
            "\ufeff",
            "\x00",
            "\ud800",
            "é",
            "\x85",
            "\\u",
            "${A",
            "${B:?x}",
            "$$",
        ),
        *(
            "include: [b]\n",
            "    extends: a\n",
            "    depends_on: [a]\n",
            "volumes: {v: }\n",
            "    build: .\n",
            "    environment: [A]\n",
        ),
    ]
)
TEXT = st.one_of(st.lists(YAML_PIECES, max_size=25).map("".join), st.text(max_size=60))


@settings(max_examples=400, deadline=None, derandomize=True)
@given(TEXT.map(lambda text: text.encode("utf-8", "surrogatepass")) | st.binary(max_size=60), st.booleans())
def test_no_text_is_a_fault_to_the_loader(data: bytes, named: bool) -> None:
    with contextlib.suppress(HyperBoxError):
        shown(loaded((b"name: p\nservices: {a: {image: x}}\n" if named else b"") + data))


LEAVES = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-(2**70), 2**70),
    st.floats(),
    st.sampled_from(
        [
            "",
            "x",
            "1",
            "80:80",
            "1-3:1-3/udp",
            "a=b",
            "/a:/b:ro",
            "10m",
            "1h30m",
            "service:a",
            "${A}",
            "$B",
            ".",
            "a",
            "CMD",
            "bind",
        ]
    ),
    st.text(st.characters(codec="utf-8"), max_size=8),
)
BELOW = st.sampled_from(
    [
        "a",
        "type",
        "source",
        "target",
        "published",
        "driver",
        "options",
        "test",
        "interval",
        "limits",
        "resources",
        "replicas",
        "context",
        "args",
        "path",
        "condition",
        "name",
        "external",
        "file",
        "config",
        "subnet",
        "soft",
        "hard",
        "size",
        "bind",
        "x-a",
        "aliases",
    ]
)
VALUES_BELOW = st.recursive(
    LEAVES, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(BELOW, inner, max_size=3), max_leaves=6
)
KEYS = st.sampled_from(sorted(field.key for field in SERVICE.fields))


@settings(max_examples=400, deadline=None, derandomize=True, suppress_health_check=[HealthCheck.too_slow])
@given(
    st.dictionaries(KEYS, VALUES_BELOW, max_size=2),
    st.dictionaries(
        st.sampled_from(["networks", "volumes", "secrets", "configs", "x-a", "include", "models"]),
        VALUES_BELOW,
        max_size=1,
    ),
)
def test_no_values_are_a_fault_to_the_loader_and_what_it_accepts_is_canonical(
    service: dict[str, object], others: dict[str, object]
) -> None:
    document = {"name": "p", "services": {"a": {"image": "x", **service}}, **others}
    try:
        project = loaded(yaml.safe_dump(document, allow_unicode=True))
    except HyperBoxError:
        return
    project_to_json(project)
    try:
        again = shown(loaded(shown(project)))
    except ComposeError as error:
        again = error.message
        if "invalid size: '-" in again:  # docker compose takes negative sizes as numbers only, and shows them as text
            return
    assert again == shown(project)
