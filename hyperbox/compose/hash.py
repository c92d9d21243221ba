"""Hashes of the parts of a project, by which a container, network or volume that is no longer as wanted is found.

The same bytes as docker compose hashes: the compact JSON of the canonical part. https://docs.docker.com/reference/cli/docker/compose/config/
"""

from __future__ import annotations

import hashlib

from hyperbox.compose.fields import NETWORK, VOLUME
from hyperbox.compose.model import Json
from hyperbox.compose.render import part_to_json, service_to_json

# what may change without the container having to be made again
_IGNORED = frozenset({"build", "pull_policy", "scale", "depends_on", "profiles"})


def service_hash(service: Json) -> str:
    """Return the hash of a service as 64 hexadecimal digits."""
    kept = {key: value for key, value in service.items() if key not in _IGNORED}
    deploy = kept.get("deploy")
    if isinstance(deploy, dict):
        kept["deploy"] = {key: value for key, value in deploy.items() if key != "replicas"}
    return _digest(service_to_json(kept))


def network_hash(network: Json) -> str:
    """Return the hash of a network."""
    return _digest(part_to_json(network, NETWORK))


def volume_hash(volume: Json) -> str:
    """Return the hash of a volume."""
    return _digest(part_to_json({**volume, "driver": volume.get("driver") or "local"}, VOLUME))


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode("utf-8", "replace")).hexdigest()
