"""What is said of base images that can't be had."""

from __future__ import annotations

import pytest

from hyperbox.build.images import unreached
from hyperbox.image.reference import parse_reference


@pytest.mark.parametrize(
    ("image", "message", "expected"),
    [
        (
            "zzb:x",
            'Get "https://registry-1.docker.io/v2/": dial tcp: lookup registry-1.docker.io: no such host',
            'failed to do request: Head "https://registry-1.docker.io/v2/library/zzb/manifests/x": '
            "dial tcp: lookup registry-1.docker.io: no such host",
        ),
        (
            "127.0.0.1:9/x/y:1",
            'Get "http://127.0.0.1:9/v2/": dial tcp 127.0.0.1:9: connect: connection refused',
            'failed to do request: Head "https://127.0.0.1:9/v2/x/y/manifests/1": dial tcp 127.0.0.1:9: connect: connection refused',
        ),
        ("zzb", "pull access denied", "pull access denied"),
    ],
)
def test_a_registry_that_is_not_reached_is_told_as_buildkit_does(image: str, message: str, expected: str) -> None:
    assert unreached(parse_reference(image).with_tag(), message) == expected
