"""What is printed as JSON has docker's keys and types (golden/docker/shapes.json)."""

from __future__ import annotations

from pathlib import Path

import pytest
import shapes  # type: ignore[import-not-found]

pytestmark = pytest.mark.system
# (beginning of the command, beginning of the path) -> why docker's differs
KNOWN = {
    ("info", ".Runtimes"): "the runtimes are others",
    ("info", ".CDISpecDirs"): "no devices are injected by CDI",
    ("info", ".Containerd"): "there is no containerd",
    ("system df -v", ".BuildCache[]"): "depends on what was built before",
    ("inspect", "[].ExecIDs"): "whether a health check runs in this moment",
}


def test_json_has_dockers_keys_and_types(hyperbox: object, busybox: str) -> None:
    docker = [str(Path(hyperbox.argv[0]).with_name("docker")), *hyperbox.argv[1:]]  # type: ignore[attr-defined]
    found = shapes.shapes(docker)
    wrong = [
        f"{look}: {path}: docker {expected.get(path)}, hyperbox {found[look].get(path)}"
        for look, expected in shapes.recorded().items()
        for path in dict.fromkeys([*expected, *found[look]])
        if expected.get(path) != found[look].get(path)
        and not any(look.startswith(start) and path.startswith(part) for start, part in KNOWN)
    ]
    assert not wrong, f"{len(wrong)} differ:\n" + "\n".join(wrong)
