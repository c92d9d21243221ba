"""Image archives of docker before 1.10: a folder for each layer, named by the image's id, with `json` (its configuration, which names its
parent) and `layer.tar` in it, and `repositories`: name -> tag -> id.
"""

from __future__ import annotations

from hyperbox.errors import EngineError
from hyperbox.files import dumps
from hyperbox.image.parents import set_parent
from hyperbox.image.reference import parse_reference

TYPE_CHECKING = False
if TYPE_CHECKING:
    from hyperbox.image.archive import Loading

    Json = dict[str, object]

# of a configuration then, what has no place in one of today
GONE = ("id", "parent", "Size", "parent_id", "layer_id", "throwaway")


def load_old(loading: Loading) -> list[str]:
    """Load every image of the archive; docker says nothing of it. Raises EngineError with docker's words."""
    unpacked = loading.unpacked
    loaded: dict[str, str] = {}
    for name in sorted({name.partition("/")[0] for name in unpacked.members if "/" in name}):
        _load(loading, name, loaded)
    repositories = unpacked.json("repositories")
    for repository, tags in repositories.items() if isinstance(repositories, dict) else ():
        for tag, image_id in tags.items() if isinstance(tags, dict) else ():
            if str(image_id) not in loaded:
                raise EngineError(f"invalid target ID: {image_id}")
            loading.store.set_name(parse_reference(f"{repository}:{tag}"), loaded[str(image_id)])
    return []


def _load(loading: Loading, name: str, loaded: dict[str, str]) -> None:
    """Load one image, and those that it comes from before it."""
    chain: list[tuple[str, Json]] = []
    known = set(loaded)
    while name and name not in known:
        document = loading.unpacked.json(f"{name}/json")
        if not isinstance(document, dict):
            raise EngineError("json: cannot unmarshal array into Go value of type struct { OS string; Parent string }")
        known.add(name)
        chain.append((name, document))
        name = str(document.get("parent") or "")
    for name, document in reversed(chain):
        parent = loaded.get(str(document.get("parent") or ""), "")
        loaded[name] = _make(loading, name, document, parent)


def _make(loading: Loading, name: str, document: Json, parent: str) -> str:
    """Make the image of one folder over its parent's layers; returns its id."""
    store = loading.store
    above: Json = store.config(parent) if parent else {}
    layer = loading.unpacked.path(f"{name}/layer.tar")
    rootfs, history = above.get("rootfs"), above.get("history")
    diff_ids = rootfs.get("diff_ids") if isinstance(rootfs, dict) else None
    layers = loading.layers_of(parent) if parent else []
    own = loading.plain_digest(layer)
    config: Json = {key: value for key, value in document.items() if key not in GONE}
    config["rootfs"] = {"type": "layers", "diff_ids": [*(diff_ids if isinstance(diff_ids, list) else []), own]}
    config["history"] = [*(history if isinstance(history, list) else []), _entry(document)]
    config.setdefault("os", "linux")
    image_id = loading.image(dumps(dict(sorted(config.items()))).encode(), [*layers, layer])
    if parent:
        set_parent(store, image_id, parent)
    return image_id


def _entry(document: Json) -> Json:
    """Return an image's line of the history."""
    made_by = document.get("container_config")
    command = made_by.get("Cmd") if isinstance(made_by, dict) else None
    facts = {
        "created": document.get("created"),
        "author": document.get("author"),
        "created_by": " ".join(map(str, command)) if isinstance(command, list) else None,
        "comment": document.get("comment"),
    }
    return {key: value for key, value in facts.items() if value}
