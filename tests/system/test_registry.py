"""Command lines that speak with registries print and return what the real docker did (golden/docker/registry)."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import registry_scenarios as scenarios  # type: ignore[import-not-found]
from conftest import Command

pytestmark = pytest.mark.system
# where we differ, and why
MOUNTED = "docker has the registry take a layer from another repository there that it has pulled it from"
RENEWED = "a token that is too old already is asked for once more"
REFUSED = "docker names the one of its requests for blobs that was refused first, we what the registry says"
MOVED = "the digest of a list goes to the image of it that was pulled last; docker leaves it with the first, and the newer has none"
KNOWN = {
    ("imagetools", "buildx imagetools create -t GUARDED/hb/denied:1 REGISTRY/hb/multi:all"): REFUSED,
    ("token", "push TOKENED/hb/mine:1"): MOUNTED,
    ("token", "asked by-mount"): MOUNTED,
    ("token", "asked by-wrong-accounts"): MOUNTED,
    ("token", "pull TOKENED/hb/two:1"): RENEWED,
    ("token", "push -q TOKENED/hb/two:1"): RENEWED,
    ("transfer", "image inspect -f {{.Id}} {{.Architecture}} {{.RepoDigests}} REGISTRY/hb/both"): MOVED,
    ("transfer", "image ls --format {{.Repository}}:{{.Tag}} {{.ID}} REGISTRY/hb/both"): MOVED,
    (
        "transfer",
        "image ls -f dangling=true --format {{.Repository}}:{{.Tag}} {{.ID}} {{.Digest}} REGISTRY/hb/both",
    ): MOVED,
    ("transfer", "rmi REGISTRY/hb/both"): MOVED,
    (
        "transfer",
        "pull -a GUARDED/hb/mine",
    ): "tags are pulled in their order; docker takes the order in which the registry names them",
}
# docker packs a layer anew before it sends it: what it pushed has other digests than what was pulled; ours has the same
CLOCK = re.compile(r"\b\d+\.\d+s?\b(?= copying| pushing|$)", re.MULTILINE)
REPACKED = re.compile(r"sha256:[0-9a-f]{64}|size: \d+")


def comparable(case: dict[str, object]) -> dict[str, object]:
    """Return a case without what differs on purpose, or by chance: docker's order of images that are equally old."""
    if case["command"][:2] == ["image", "ls"]:  # type: ignore[index]
        case = {**case, "stdout": sorted(str(case["stdout"]).splitlines())}
    if case["command"][:3] == ["buildx", "imagetools", "create"]:  # type: ignore[index]
        # docker copies all at once: the lines come by chance
        lines = CLOCK.sub("<CLOCK>", str(case["stderr"])).splitlines()
        case = {**case, "stderr": sorted(line.removeprefix("#1 ") for line in lines)}
    if "GUARDED/hb/mine" not in " ".join(case["command"]):  # type: ignore[arg-type]
        return case
    return {key: REPACKED.sub("<PACKED>", value) if isinstance(value, str) else value for key, value in case.items()}


@pytest.mark.parametrize("name", scenarios.names())
def test_a_scenario_goes_as_with_docker(name: str, hyperbox: Command, tmp_path: Path) -> None:
    docker = [str(Path(hyperbox.argv[0]).with_name("docker")), *hyperbox.argv[1:]]
    config = tmp_path / "client"
    config.mkdir()
    wrong = []
    with scenarios.servers(tmp_path / "servers") as tokens:
        for (command, stdin), expected in zip(scenarios.steps(name), scenarios.recorded(name), strict=True):
            done = scenarios.run_step(docker, config, command, stdin, tokens)
            if comparable(done) != comparable(expected) and (name, " ".join(command)) not in KNOWN:
                wrong.append("\n".join([" ".join(command), f"  docker:   {expected}", f"  hyperbox: {done}"]))
    assert not wrong, f"{len(wrong)} differ:\n" + "\n".join(wrong)
