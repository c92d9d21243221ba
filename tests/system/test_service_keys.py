"""What a service key makes of a container, and how it is refused, is what docker compose makes of it (golden/docker/keys)."""

from __future__ import annotations

from pathlib import Path

import pytest
import service_keys  # type: ignore[import-not-found]

pytestmark = pytest.mark.system
# (case, beginning of the path or "") -> why docker's differs
OWN_ADDRESS = "the project's own address has the ports too, and one without a number gets one of the project's range"
RUNTIME = "the words are the runtime's"
BEFORE = "what can't be had is told before anything is made"
KNOWN = {
    ("ports-", "HostConfig.PortBindings."): OWN_ADDRESS,
    (
        "networks-a",
        "NetworkSettings.Networks.hb-keys_front.IP",
    ): "docker shows the wish as an address of one that never ran",
    ("volumes-image", "inspect"): "the folder of the engine's that the layers are shown in",
    ("blkio-devices", "stderr"): RUNTIME,
    ("cpu-rt", "stderr"): RUNTIME,
    ("sysctls-wrong", "stderr"): RUNTIME,
    ("ulimits-", "stderr"): RUNTIME,
    ("build-and-no-image", "stderr"): BEFORE,
    ("image-absent", "stderr"): BEFORE,
    ("userns-wrong", ""): "docker ignores a mode that it doesn't know",
    ("use-api-socket", ""): "there is no API socket to pass on",
}


def known(case: str, path: str) -> bool:
    """Return whether a difference is one that is named above."""
    return any(case.startswith(name) and path.startswith(start) for name, start in KNOWN)


def runner(hyperbox: object, folder: Path) -> object:
    """Return what runs HyperBox in a folder with the cases' files."""
    argv = hyperbox.argv  # type: ignore[attr-defined]
    service_keys.write_files(folder)
    return service_keys.Runner([], [str(Path(argv[0]).with_name("docker")), *argv[1:]], folder)


@pytest.mark.usefixtures("volumes_tidied")
def test_a_key_makes_of_a_container_what_docker_compose_makes(hyperbox: object, busybox: str, tmp_path: Path) -> None:
    found = service_keys.together(runner(hyperbox, tmp_path))
    expected = service_keys.recorded("together")
    wrong = [
        f"{case}: {path}: docker {wanted.get(path)}, hyperbox {found.get(case, {}).get(path)}"
        for case, wanted in expected.items()
        for path in dict.fromkeys([*wanted, *found.get(case, {})])
        if wanted.get(path) != found.get(case, {}).get(path) and not known(case, path)
    ]
    assert not wrong, f"{len(wrong)} differ:\n" + "\n".join(wrong)


@pytest.mark.usefixtures("volumes_tidied")
def test_a_key_alone_ends_as_with_docker_compose(hyperbox: object, busybox: str, tmp_path: Path) -> None:
    run = runner(hyperbox, tmp_path)
    wrong = []
    for case, text in service_keys.cases("alone"):
        wanted, found = service_keys.recorded("alone")[case], service_keys.alone(run, case, text)
        wrong += [
            f"{case}: {path}:\n  docker   {wanted[path]}\n  hyperbox {found[path]}"
            for path in wanted
            if wanted[path] != found[path] and not known(case, path)
        ]
    assert not wrong, f"{len(wrong)} differ:\n" + "\n".join(wrong)
