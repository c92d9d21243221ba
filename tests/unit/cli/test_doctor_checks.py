"""The checks of `hyperbox doctor` that need no engine."""

from __future__ import annotations

from pathlib import Path

import pytest

from hyperbox import process
from hyperbox.cli.doctor_checks import loads_by_itself

LISTED = """kernel/fs/overlayfs/overlay.ko.zst:
kernel/net/bridge/bridge.ko.zst: kernel/net/802/stp.ko.zst kernel/net/llc/llc.ko.zst
extra/under/overlay_other.ko:
kernel/fs/fuse/fuse.ko: kernel/fs/fake.ko
"""


@pytest.mark.parametrize(
    ("module", "found"), [("overlay", True), ("bridge", True), ("stp", False), ("fake", False), ("under", False)]
)
def test_a_module_that_depmod_has_listed_is_loaded_when_it_is_needed(
    module: str, found: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    listed = tmp_path / "modules.dep"
    monkeypatch.setattr(process, "find_program", lambda name: f"/sbin/{name}")
    assert not loads_by_itself(module, str(listed))
    listed.write_text(LISTED)
    assert loads_by_itself(module, str(listed)) is found
    monkeypatch.setattr(process, "find_program", lambda name: None)
    assert not loads_by_itself(module, str(listed))
