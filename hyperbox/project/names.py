"""Names that a file fixes, and which project has them: `container_name`, `name:` of networks and volumes, tags of built images.

The first project that asks for such a name has it; another one gets it with a suffix, its own where it has one ("db-two" for the project
"shop-two"), else its id. The answer is kept in the project's record ("Names": {"container/db": "db-two"}) so that it stays. Containers'
and networks' names are given back on `down`, those of volumes and images when the project is removed: their data outlive `down`.
What is external is shared as written and never comes here.
"""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    Json = dict[str, object]

# the kinds whose names are free again once a project is down
PASSING = ("container", "network")


def names_of(record: Json) -> dict[str, str]:
    """Return the names that a project has: "KIND/NAME AS THE FILE HAS IT" -> real name."""
    names = record.get("Names")
    return {str(key): str(value) for key, value in names.items()} if isinstance(names, dict) else {}


def with_suffix(kind: str, name: str, suffix: str) -> str:
    """Return a name with a suffix: of an image the repository gets it, not the tag. Pure."""
    if kind == "image":
        folder, slash, last = name.rpartition("/")
        repository, colon, tag = last.partition(":")
        return f"{folder}{slash}{repository}{suffix}{colon}{tag}"
    return f"{name}{suffix}"


def settle(record: Json, others: Iterable[Json], wanted: Iterable[str]) -> dict[str, str]:
    """Return the real name of each of `wanted` ("KIND/NAME"): those that the project has already, and new ones. Pure."""
    kept = names_of(record)
    missing = [key for key in wanted if key not in kept]
    if not missing:
        return kept
    kinds = {key.partition("/")[0] for key in missing}
    held = [names for other in (*others, record) if isinstance(names := other.get("Names"), dict)]
    taken = {
        f"{kind}/{name}" for names in held for key, name in names.items() if (kind := key.partition("/")[0]) in kinds
    }
    own, plain = str(record["Id"]), str(record["Name"])
    suffix = own.removeprefix(plain) if own != plain and own.startswith(plain) else f"-{own}"
    for key in missing:
        kind, _, name = key.partition("/")
        numbered = (f"{suffix}-{count}" for count in range(2, len(taken) + 3))
        endings = (ending for several in (("", suffix), numbered) for ending in several)
        kept[key] = next(
            each for ending in endings if f"{kind}/{(each := with_suffix(kind, name, ending))}" not in taken
        )
        taken.add(f"{kind}/{kept[key]}")
    return kept


def without_passing(names: Mapping[str, str]) -> dict[str, str]:
    """Return the names that a project keeps when it is down. Pure."""
    return {key: name for key, name in names.items() if key.partition("/")[0] not in PASSING}
