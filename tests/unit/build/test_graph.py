"""From a Dockerfile to its graph: stages, names of steps, variables, configuration; with base images that are made up."""

from __future__ import annotations

import pytest

from hyperbox.build import graph
from hyperbox.build.api import BuildRequest, Source
from hyperbox.build.dockerfile import DockerfileError, parse
from hyperbox.build.jobs import Runner
from hyperbox.build.stages import Base, Planner, Stage
from hyperbox.build.variables import Platform

BASE = {
    "os": "linux",
    "architecture": "amd64",
    "config": {"Env": ["PATH=/bin", "A=base"], "Cmd": ["sh"], "WorkingDir": "/home", "OnBuild": ["RUN trigger"]},
    "history": [{"created": "2020-01-01T00:00:00Z", "created_by": "base"}],
}


def plan(text: str, document: dict[str, object] | None = None, **request: object) -> Stage:
    """Return the target stage of a Dockerfile; every image has one layer and the same configuration."""

    async def resolve(name: str, platform: Platform) -> Base:
        return Base(
            "sha256:" + "1" * 64, document or {**BASE, "config": {"Env": ["PATH=/bin"]}}, ("sha256:" + "2" * 64,), name
        )

    asked = BuildRequest(Source("empty"), **request)  # type: ignore[arg-type]
    planner = Planner(asked, parse(text.encode()), resolve, Platform("linux", "amd64"))
    stage = Runner().run(planner.plan())
    assert isinstance(stage, Stage)
    return stage


def names(stage: Stage) -> list[str]:
    return [node.name for node in graph.ancestors(stage.node)]


def test_steps_are_numbered_by_stage_and_stages_named_where_there_are_several() -> None:
    assert names(plan("FROM x\nRUN a\nENV b=c\nCOPY d /")) == [
        "[1/3] FROM x",
        "[2/3] RUN a",
        "[internal] load build context",
        "[3/3] COPY d /",
    ]
    several = plan("FROM x AS one\nRUN a\nFROM x\nCOPY --from=one /a /b")
    assert names(several) == ["[one 1/2] FROM x", "[one 2/2] RUN a", "[stage-1 2/2] COPY --from=one /a /b"]


def test_only_what_the_target_needs_is_made() -> None:
    assert names(plan("FROM x AS a\nRUN a\nFROM y AS b\nRUN b", target="a")) == ["[a 1/2] FROM x", "[a 2/2] RUN a"]
    assert names(plan("FROM x AS a\nRUN a\nFROM scratch\nCOPY --from=a / /"))[-1] == "[stage-1 1/1] COPY --from=a / /"


def test_the_same_step_of_two_stages_is_one_node() -> None:
    stage = plan("FROM x AS a\nRUN same\nFROM x AS b\nRUN same\nFROM scratch\nCOPY --from=a /1 /\nCOPY --from=b /2 /")
    assert sum(isinstance(node.operation, graph.Run) for node in graph.ancestors(stage.node)) == 1


def run_of(stage: Stage) -> graph.Run:
    operation = stage.node.operation
    assert isinstance(operation, graph.Run)
    return operation


def test_an_argument_counts_from_its_declaration_on_and_ends_with_its_stage() -> None:
    text = "ARG G=global\nFROM x AS a\nARG G\nARG D=default\nARG N\nRUN x\nFROM x\nRUN y"
    assert "G=" not in " ".join(run_of(plan(text)).environment)
    values = run_of(plan(text, target="a", build_args=(("N", "given"), ("UNKNOWN", "1")))).environment
    assert values[-3:] == ("G=global", "D=default", "N=given")


def test_proxies_are_seen_by_steps_and_are_no_part_of_what_they_depend_on() -> None:
    one, two = (plan("FROM x\nRUN y", build_args=(("http_proxy", value),)).node for value in ("1", "2"))
    assert one.proxies == ("http_proxy=1",)
    assert one.digest == two.digest


def test_platform_arguments_must_be_declared() -> None:
    assert "TARGETARCH=amd64" in run_of(plan("FROM x\nARG TARGETARCH\nRUN y")).environment
    assert "TARGETARCH" not in " ".join(run_of(plan("FROM x\nRUN y")).environment)


def test_triggers_of_the_base_run_first_and_are_not_inherited() -> None:
    stage = plan("FROM x\nRUN own", dict(BASE))
    assert [
        node.operation.arguments[-1] for node in graph.ancestors(stage.node) if isinstance(node.operation, graph.Run)
    ] == ["trigger", "own"]
    assert "OnBuild" not in stage.draft.config


def test_an_entrypoint_forgets_a_command_of_the_base_but_not_one_of_the_stage() -> None:
    assert "Cmd" not in plan("FROM x\nENTRYPOINT e", dict(BASE)).draft.config
    assert plan("FROM x\nCMD c\nENTRYPOINT e", dict(BASE)).draft.config["Cmd"] == ["/bin/sh", "-c", "c"]


def test_history_has_the_time_of_the_layer_before_an_entry_without_one() -> None:
    stage = plan("FROM x\nENV a=b\nRUN c\nLABEL d=e", dict(BASE, config={}))
    document = stage.draft.document([("sha256:1", ""), ("sha256:2", "2021-01-01T00:00:00Z")], None)
    history = document["history"]
    assert isinstance(history, list)
    assert [step["created"][:4] for step in history] == ["2020", "2021", "2021", "2021"]
    assert [bool(step.get("empty_layer")) for step in history] == [False, True, False, True]
    assert document["created"] == "2021-01-01T00:00:00Z"


def test_working_directories_join_and_destinations_are_relative_to_them() -> None:
    stage = plan("FROM x\nWORKDIR /a\nWORKDIR b/../c\nCOPY f .")
    operation = stage.node.operation
    assert isinstance(operation, graph.Copy)
    assert (stage.working_dir, operation.destination) == ("/a/c", "/a/c/")


def test_sources_cannot_leave_their_root() -> None:
    operation = plan("FROM x\nCOPY ../../etc/passwd a/../../b /d/").node.operation
    assert isinstance(operation, graph.Copy)
    assert [source.path for source in operation.sources] == ["/etc/passwd", "/b"]


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("FROM x AS a\nCOPY --from=a /x /y", "circular dependency detected on stage: a"),
        ("FROM x\nCOPY --from=7 /x /y", "invalid stage index 7"),
        ("FROM --platform=linux/s390x x", "can't be built on this machine"),
        ("FROM x\nRUN --network=host y", "network.host is not allowed"),
        ("FROM $NOTHING", "should not be blank"),
        ("FROM x\nEXPOSE 70000", "invalid containerPort: 70000"),
        ("FROM x\nCOPY --chmod=9 a b", "invalid chmod parameter"),
    ],
)
def test_what_cannot_be_is_refused(text: str, words: str) -> None:
    with pytest.raises(DockerfileError, match=words.replace("(", "\\(")):
        plan(text)
