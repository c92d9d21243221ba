"""`docker rmi`, `docker tag` and `docker image prune`."""

from __future__ import annotations

import sys

from hyperbox.cli.connect import engine_for
from hyperbox.cli.container_manage import ask, prune_filters, reclaimed
from hyperbox.errors import EngineError, HyperBoxError, InvalidParameter, NotFound
from hyperbox.grammar.values import words_of

TYPE_CHECKING = False
if TYPE_CHECKING:
    from hyperbox.grammar.parse import Invocation

    Json = dict[str, object]


def remove(invocation: Invocation) -> int:
    """docker rmi IMAGE…"""
    flags = invocation.flags
    engine = engine_for(invocation)
    platforms = checked_platforms(flags.get("platform"))
    force = bool(flags["force"])
    errors: list[EngineError] = []
    for name in invocation.arguments:
        try:
            if platforms:
                engine.image_inspect(name, platform=platforms[0])
            removed = engine.image_remove(name, force=force, prune=not flags["no-prune"])
        except EngineError as error:
            errors.append(error)
            continue
        sys.stdout.write(removal_lines(removed))
    sys.stdout.flush()
    for failure in errors:
        sys.stderr.write(f"{failure.told}\n")
    return 1 if any(not (force and isinstance(failure, NotFound)) for failure in errors) else 0


def checked_platforms(given: object) -> list[str]:
    """Return --platform's values, of which an image of one platform can have one. Raises HyperBoxError, InvalidParameter."""
    from hyperbox.cli.image_transfer import check_platform

    platforms = words_of(given)
    for platform in platforms:
        check_platform(platform)
    if len(platforms) > 1:
        raise InvalidParameter("multiple platforms are not supported")
    return platforms


def removal_lines(removed: object) -> str:
    """Return docker's lines for what was untagged and deleted."""
    output = []
    for entry in removed if isinstance(removed, list) else []:
        word, name = ("Deleted", entry["Deleted"]) if entry.get("Deleted") else ("Untagged", entry.get("Untagged"))
        output.append(f"{word}: {name}\n")
    return "".join(output)


def tag(invocation: Invocation) -> int:
    """docker tag SOURCE TARGET"""
    from hyperbox.image.reference import parse_reference

    source, target = invocation.arguments
    for name in (source, target):
        try:
            reference = parse_reference(name)
        except InvalidParameter as error:
            raise HyperBoxError(
                f'Error parsing reference: "{name}" is not a valid repository/tag: {error.message}'
            ) from None
    if reference.digest:
        raise HyperBoxError("refusing to create a tag with a digest reference")
    engine_for(invocation).image_tag(source, reference.familiar, reference.tag or "latest")
    return 0


def prune(invocation: Invocation) -> int:
    """docker image prune"""
    everything = bool(invocation.flags["all"])
    what = "images without at least one container associated to them" if everything else "dangling images"
    ask(invocation, f"WARNING! This will remove all {what}.")
    answer = engine_for(invocation).image_prune(image_filters(invocation))
    sys.stdout.write(deleted_images(answer) + reclaimed(answer))
    return 0


def image_filters(invocation: Invocation) -> dict[str, list[str]]:
    """Return the filters of a prune: dangling unless --all."""
    filters = prune_filters(invocation)
    filters["dangling"] = ["false" if invocation.flags["all"] else "true"]
    return filters


def deleted_images(answer: Json) -> str:
    """Return the paragraph of images that a prune deleted, or ""."""
    entries = answer.get("ImagesDeleted")
    if not entries:
        return ""
    lines = removal_lines(entries).replace("Untagged: ", "untagged: ").replace("Deleted: ", "deleted: ")
    return f"Deleted Images:\n{lines}\n"
