"""The images of a project: looked up, pulled, pushed."""

from __future__ import annotations

import sys

from hyperbox.cli.compose_progress import step_progress
from hyperbox.cli.compose_project import Session, session
from hyperbox.errors import ComposeError, EngineError, NotFound, UnsupportedError
from hyperbox.plan.execute import StepEvent

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

    from hyperbox.grammar.parse import Invocation
    from hyperbox.project.desired import ServiceWish


def image_id_of(found: Session, image: str) -> str:
    """Return an image's id, or "" where it is not there."""
    try:
        return str(found.engine.image_inspect(image)["Id"])
    except NotFound:
        return ""


def pull_image(found: Session, image: str, platform: str, *, quiet: bool) -> str:
    """Pull one image with its progress as docker compose shows it; returns the image's id."""
    from hyperbox.cli.image_transfer import auth_for, user_reference

    progress = step_progress(found.invocation)
    reference = user_reference(image)
    if not quiet:
        progress.event(StepEvent(image, "Pulling", "working"))
    try:
        image_id = found.engine.image_pull(image, platform=platform, auth=auth_for(found.invocation, reference.domain))
    except EngineError as error:
        if not quiet:
            progress.event(StepEvent(image, f"Error {error.message}", "error"))
        raise
    if not quiet:
        progress.event(StepEvent(image, "Pulled", "done"))
    return image_id


def policy_of(wish: ServiceWish, given: str) -> str:
    """Return when a service's image is pulled: always, missing or never."""
    policy = given or str(wish.definition.get("pull_policy") or "missing")
    policy = {"if_not_present": "missing", "build": "never", "policy": "missing"}.get(policy, policy)
    if policy in ("daily", "weekly") or policy.startswith("every_"):
        return "missing"
    if policy not in ("always", "missing", "never"):
        raise ComposeError(f"unsupported --pull value {policy!r}".replace("'", '"'))
    return policy


def ensure_images(found: Session, services: Sequence[str], *, policy: str = "", quiet: bool = False) -> dict[str, str]:
    """Pull what is missing (or by policy); returns service -> image id. Raises ComposeError naming a service whose image is not to be had."""
    image_ids: dict[str, str] = {}
    by_image: dict[str, str] = {}
    for name in services:
        wish = found.desired.services[name]
        if wish.image in by_image:
            image_ids[name] = by_image[wish.image]
            continue
        when = policy_of(wish, policy)
        image_id = "" if when == "always" and not wish.definition.get("build") else image_id_of(found, wish.image)
        if not image_id:
            if wish.definition.get("build"):
                image_id = build_service(found, wish)
            elif when == "never":
                raise NotFound(
                    f"No such image: {wish.image if ':' in wish.image.rpartition('/')[2] else wish.image + ':latest'}"
                )
            else:
                image_id = pull_image(found, wish.image, str(wish.definition.get("platform") or ""), quiet=quiet)
        image_ids[name] = by_image[wish.image] = image_id
    return image_ids


def build_service(found: Session, wish: ServiceWish) -> str:
    """Build a service's image; returns its id."""
    raise UnsupportedError(
        f'service "{wish.name}": its image {wish.image} is not there and HyperBox can\'t build images yet'
    )


def chosen(found: Session, names: Sequence[str], *, dependencies: bool = False) -> list[ServiceWish]:
    """Return the services that a command is about. Raises ComposeError "no such service: x"."""
    from hyperbox.plan.reconcile import selected

    return [found.desired.services[name] for name in selected(found.desired, names, no_deps=not dependencies)]


def pull(invocation: Invocation) -> int:
    """`docker compose pull`."""
    found = session(invocation)
    flags = invocation.flags
    failures = []
    done = set()
    for wish in chosen(found, invocation.arguments, dependencies=bool(flags.get("include-deps"))):
        if wish.image in done or (
            wish.definition.get("build") and (flags.get("ignore-buildable") or not wish.definition.get("image"))
        ):
            continue
        done.add(wish.image)
        when = policy_of(wish, str(flags.get("policy") or "always"))
        if when == "missing" and image_id_of(found, wish.image):
            continue
        try:
            pull_image(found, wish.image, str(wish.definition.get("platform") or ""), quiet=bool(flags.get("quiet")))
        except EngineError as error:
            failures.append(error)
            if not flags.get("ignore-pull-failures"):
                raise
    for failure in failures:
        print(failure.message, file=sys.stderr)
    return 0


def push(invocation: Invocation) -> int:
    """`docker compose push`: the images of services that are built here."""
    from hyperbox.cli.image_transfer import auth_for, user_reference

    found = session(invocation)
    progress = step_progress(invocation)
    for wish in chosen(found, invocation.arguments, dependencies=bool(invocation.flags.get("include-deps"))):
        if not wish.definition.get("build"):
            continue
        progress.event(StepEvent(wish.image, "Pushing", "working"))
        try:
            found.engine.image_push(wish.image, auth=auth_for(invocation, user_reference(wish.image).domain))
        except EngineError:
            if not invocation.flags.get("ignore-push-failures"):
                raise
        progress.event(StepEvent(wish.image, "Pushed", "done"))
    return 0
