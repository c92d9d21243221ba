"""A kernel without nftables is told in one sentence."""

from __future__ import annotations

import pytest

from hyperbox.errors import EngineError
from hyperbox.kernel import nftables


def test_no_netfilter_is_told_with_a_hint(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(family: int) -> object:
        raise OSError(93, "Protocol not supported")

    monkeypatch.setattr(nftables, "Socket", refuse)
    with pytest.raises(EngineError) as raised:
        nftables.Rules("hyperbox")
    assert raised.value.message == "failed to set up networking: the kernel has no nftables: protocol not supported"
    assert "modprobe nf_tables" in raised.value.hint
