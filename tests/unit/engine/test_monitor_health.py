import json
import subprocess
from pathlib import Path

from hyperbox.engine import health
from hyperbox.engine.monitor_health import Prober
from hyperbox.engine.monitor_loop import Loop
from hyperbox.engine.state import Container, Roots, new_state


def test_a_probe_of_a_container_that_has_just_ended_fails_and_the_monitor_goes_on(tmp_path: Path) -> None:
    roots = Roots(str(tmp_path), str(tmp_path / "run"), "group")
    roots.prepare()
    config = {"Healthcheck": {"Test": ["CMD", "true"]}, "Image": "busybox", "User": "nobody", "Labels": {}}
    record = {"Id": "a" * 64, "Name": "/web", "Config": config, "HostConfig": {}}
    ended = subprocess.Popen(["true"])
    ended.wait()
    state = {**new_state(), "Pid": ended.pid, "Status": "running"}
    container = Container(roots, "a" * 64, record, state)
    folder = Path(container.folder())
    folder.mkdir(parents=True)
    (folder / "container.json").write_text(json.dumps(record))
    (folder / "state.json").write_text(json.dumps(state))
    Path(roots.container_run(container.id)).mkdir(parents=True)
    check = health.health_check(config)
    assert check is not None
    prober = Prober(roots, container, Loop(), check)
    prober.begin()
    prober._probe()
    assert prober.health["FailingStreak"] == 1
    assert "No such file" in str(prober.health["Log"])
