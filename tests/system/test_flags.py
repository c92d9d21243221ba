"""Each flag of `run` and `create` has docker's effect: on what `inspect` shows and on what the container sees (golden/docker/flags.json)."""

from __future__ import annotations

from pathlib import Path

import flags  # type: ignore[import-not-found]
import pytest

pytestmark = pytest.mark.system
# the beginning of a difference -> why it is one
KNOWN = {
    "--log-driver syslog": "refused: there is no such driver here yet",
    "--use-api-socket": "refused: there is no daemon's socket",
    "--mount type=image,src=hb-nosuch": "docker pulls the container's own image instead, and then fails",
    "--volume-driver bogus": "the same",
    "--pull always": "the words of a resolver that has no network",
    "--platform linux/arm64": "the same",
    "--mount type=image,src=busybox": "an image of one layer is a bind mount here, an overlay with docker",
    "--sysctl net.core.somaxconn=77 --sysctl net.ipv4.ip_forward=1: docker has": "a new namespace takes forwarding from the machine",
    "-t: ": "crun mounts /dev/console with other options",
    "-u 1000": "crun gives the container's own /dev/null, as its stdin, to the user",
    "--ipc container": "the shared /dev/shm has the options of the donor's mount",
}
# flags that the container sees nothing of, and that are started all the same; the others are only made
STARTED = (
    "--cap-drop ALL --cap-add chown", "--cidfile {DIR}/cid", "-i", "--restart always", "--rm", "--pull never", "--sig-proxy",
    "--log-driver none", "--log-driver local", "--log-driver json-file --log-opt max-size=1m --log-opt max-file=3",
)  # fmt: skip


def test_every_flag_has_dockers_effect(hyperbox: object, busybox: str, tmp_path: Path) -> None:
    folder = tmp_path / "files"
    flags.make_files(folder)
    docker = [str(Path(hyperbox.argv[0]).with_name("docker")), *hyperbox.argv[1:]]  # type: ignore[attr-defined]
    recorded = flags.recorded()
    unseen = [case for case, effect in recorded.items() if case and effect.get("report") == [] and case not in STARTED]
    found = flags.effects(docker, folder, idle=unseen)
    wrong = []
    for case, expected in recorded.items():
        wrong += [line for line in flags.differences(case, expected, found[case]) if not line.startswith(tuple(KNOWN))]
    assert not wrong, f"{len(wrong)} differ:\n" + "\n".join(wrong)
