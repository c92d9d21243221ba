"""The images of a project: looked up, pulled, pushed."""

from __future__ import annotations

import time

from hyperbox.cli.compose_progress import step_progress, transfer_event
from hyperbox.cli.compose_project import Session, default_platform, session
from hyperbox.errors import ComposeError, EngineError, NotFound
from hyperbox.plan.execute import StepEvent

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from hyperbox.cli.compose_progress import StepProgress
    from hyperbox.cli.compose_pulls import Pulls, Wanted
    from hyperbox.compose.model import Json
    from hyperbox.grammar.parse import Invocation
    from hyperbox.project.desired import ServiceWish


def image_id_of(found: Session, image: str) -> str:
    """Return an image's id, or "" where it is not there."""
    try:
        return str(found.engine.image_inspect(image)["Id"])
    except NotFound:
        return ""


def pull_image(
    found: Session, service: str, image: str, platform: str, progress: StepProgress, *, failed: str = "Error"
) -> str:
    """Pull one service's image with its progress as docker compose shows it, a failure as `failed`; returns the image's id."""
    from hyperbox.cli.image_transfer import auth_for, user_reference

    reference = user_reference(image)
    progress.event(StepEvent(service, "", "working", "Pulling"))
    auth = auth_for(found.invocation, reference.domain)
    platform = platform or default_platform(found)
    try:
        image_id = found.engine.image_pull(
            image, platform=platform, auth=auth, on_event=layers(found, progress, service)
        )
    except EngineError as error:
        progress.event(StepEvent(service, error.message, failed.lower(), failed))
        raise
    progress.event(StepEvent(service, "", "done", "Pulled"))
    return image_id


def layers(found: Session, progress: StepProgress, service: str) -> Callable[[Json], None] | None:
    """Return what tells of an image's layers below the line of a service; None where nothing is to be told."""
    flags = found.invocation.flags
    if (
        progress.mode == "quiet"
        or flags.get("quiet-pull")
        or (found.invocation.path == "compose pull" and flags["quiet"])
    ):
        return None

    def tell(event: Json) -> None:
        step = transfer_event(event, parent=service)
        if step is not None:
            progress.event(step)

    return tell


def policy_of(wish: ServiceWish, given: str) -> str:
    """Return when a service's image is pulled: always, missing, never, or after a while (daily, weekly, every_DURATION)."""
    policy = given or str(wish.definition.get("pull_policy") or "missing")
    policy = {"if_not_present": "missing", "build": "never", "policy": "missing", "refresh": "missing"}.get(
        policy, policy
    )
    if policy not in ("always", "missing", "never") and not interval_of(policy):
        raise ComposeError(f"unsupported --pull value {policy!r}".replace("'", '"'))
    return policy


def interval_of(policy: str) -> int:
    """Return after how many seconds a pull policy wants an image again; 0 for those that don't go by time.

    The units of every_DURATION are weeks, days and Go's: 1w2d3h. Raises ComposeError.
    """
    text = {"daily": "1d", "weekly": "1w"}.get(policy, policy.removeprefix("every_") if "every_" in policy else "")
    seconds = 0
    for unit, size in (("w", 7 * 86400), ("d", 86400)):
        head, found, rest = text.partition(unit)
        if found and head.isdigit():
            seconds, text = seconds + int(head) * size, rest
    if not text:
        return seconds
    from hyperbox.go.durations import parse_duration

    try:
        return seconds + parse_duration(text) // 10**9
    except ValueError as error:
        raise ComposeError(str(error)) from None


def present(found: Session, wish: ServiceWish, policy: str) -> str:
    """Return the id of the image that a service can do with as it is: for its platform, and not too old; "" otherwise.

    Raises ComposeError for a platform that is none.
    """
    from hyperbox.go.times import timestamp_seconds

    try:
        image = found.engine.image_inspect(wish.image)
    except NotFound:
        return ""
    wanted = str(wish.definition.get("platform") or "")
    if wanted and policy != "never" and platform_parts(wanted) != (image.get("Os"), image.get("Architecture")):
        return ""
    interval = interval_of(policy) if policy not in ("always", "missing", "never") else 0
    metadata = image.get("Metadata")
    tagged = str(metadata.get("LastTagTime") or "") if isinstance(metadata, dict) else ""
    if interval and (not tagged or time.time() - timestamp_seconds(tagged) > interval):
        return ""
    return str(image["Id"])


def platform_parts(text: str) -> tuple[str, str]:
    """Return the system and architecture of `platform`. Raises ComposeError with docker compose's words."""
    from hyperbox.image.platform import parse_platform

    try:
        return parse_platform(text)[:2]
    except ValueError as error:
        said = str(error).replace(": invalid platform:", ": cannot parse platform specifier:")
        raise ComposeError(said) from None


def volume_images(found: Session, services: Sequence[str]) -> list[Wanted]:
    """Return the images that are mounted as volumes and are not there."""
    from hyperbox.cli.compose_pulls import Wanted

    wanted = []
    for name in services:
        rows = found.desired.services[name].definition.get("volumes")
        for index, row in enumerate(rows if isinstance(rows, list) else []):
            if row.get("type") == "image" and not image_id_of(found, str(row["source"])):
                wanted.append(Wanted(f"{name}:volume {index}", str(row["source"])))
    return wanted


def ensure_images(
    found: Session,
    services: Sequence[str],
    progress: StepProgress,
    *,
    policy: str = "",
    build: bool = False,
    no_build: bool = False,
) -> dict[str, str]:
    """Have the services' images: built where they can be (`build`: anew), pulled where they are missing or by policy.

    What is built is told to `progress`; pulls have a display of their own before that, as with docker compose. Returns service -> image id.
    Raises ComposeError or NotFound naming an image that is not to be had.
    """
    services = [name for name in services if not found.desired.services[name].definition.get("provider")]
    with step_progress(found.invocation, "Running") as pulling:
        by_image, to_build = _present_images(found, services, pulling, policy, build=build, no_build=no_build)
    if to_build:
        by_image.update(built(found, to_build, progress, quiet=_builds_quietly(found)))
    return {name: by_image[found.desired.services[name].image] for name in services}


def _builds_quietly(found: Session) -> bool:
    flags = found.invocation.flags
    return bool(flags.get("quiet-build") or (found.invocation.path == "compose watch" and flags.get("quiet")))


def _present_images(
    found: Session, services: Sequence[str], progress: StepProgress, policy: str, *, build: bool, no_build: bool
) -> tuple[dict[str, str], list[str]]:
    """Return the ids of the images that are there or could be pulled, and the services whose images are to be built."""
    from hyperbox.cli.compose_pulls import Wanted, pull_all

    by_image: dict[str, str] = {}
    builders: dict[str, str] = {}
    wanted: dict[str, Wanted] = {}
    for name in services:
        wish = found.desired.services[name]
        platform, image = str(wish.definition.get("platform") or ""), wish.image
        if wish.definition.get("build"):
            if image not in by_image:
                if not no_build:
                    builders[image] = name
                by_image[image], pulled = image_to_build(found, wish, policy, build=build, no_build=no_build)
                if pulled:
                    wanted[image] = Wanted(name, image, platform, optional=True)
            continue
        if image in builders and not by_image[image]:
            continue
        when = policy_of(wish, policy)
        image_id = "" if when == "always" else by_image.get(image) or present(found, wish, when)
        if image in wanted and not image_id and when != "never":
            first = wanted[image]
            wanted[image] = first._replace(sharing=(*first.sharing, name))
        elif image not in wanted and not image_id and when != "never":  # else it is missed when the container is made
            wanted[image] = Wanted(name, image, platform)
        by_image.setdefault(image, image_id)
    by_image.update(pull_all(found, [*wanted.values(), *volume_images(found, services)], progress))
    return by_image, [name for image, name in builders.items() if not by_image[image]]


def image_to_build(found: Session, wish: ServiceWish, policy: str, *, build: bool, no_build: bool) -> tuple[str, bool]:
    """Return the id of the image of a service that can be built, "" where it is not there, and whether to try a pull before it is built."""
    own = str(wish.definition.get("pull_policy") or "")
    if not no_build and (build or (own == "build" and not policy) or policy == "build"):
        return "", False
    when = policy_of(wish, policy)
    image_id = image_id_of(found, wish.image)
    named = wish.definition.get("image") == wish.image
    return image_id, named and (when == "always" or (when == "missing" and not image_id))


def built(found: Session, names: Sequence[str], progress: StepProgress, *, quiet: bool) -> dict[str, str]:
    """Build services; returns image -> image id. With --dry-run nothing is built."""
    from hyperbox.cli.compose_build import build_services, wish_of
    from hyperbox.cli.compose_build_request import Options

    if found.invocation.globals.get("dry-run"):
        return {found.desired.services[name].image: "" for name in names}
    ids = build_services(found, names, Options(), progress, quiet=quiet)
    return {wish_of(found, name).image: image_id for name, image_id in ids.items()}


def chosen(found: Session, names: Sequence[str], *, dependencies: bool = False) -> list[ServiceWish]:
    """Return the services that a command is about. Raises ComposeError "no such service: x"."""
    from hyperbox.plan.order import selected

    return [found.desired.services[name] for name in selected(found.desired, names, no_deps=not dependencies)]


def pull(invocation: Invocation) -> int:
    """`docker compose pull`."""
    found = session(invocation, services=invocation.arguments, read_env_files=False)
    with step_progress(invocation) as progress:
        _pull_all(found, progress)
    return 0


def _pull_all(found: Session, progress: StepProgress) -> None:
    from hyperbox.cli.compose_pulls import Pulls, Wanted

    invocation, by_image = found.invocation, dict[str, str]()
    tolerant = bool(invocation.flags.get("ignore-pull-failures"))
    wanted = []
    for wish in chosen(found, invocation.arguments, dependencies=bool(invocation.flags.get("include-deps"))):
        reason = reason_to_skip(found, wish, by_image)
        if reason is not None:
            progress.event(StepEvent(wish.name, "", "done", f"Skipped - {reason}" if reason else "Skipped"))
            continue
        by_image[wish.image] = wish.name
        if progress.dry_run:
            try:
                _pretend_to_pull(found, wish, progress)
            except ComposeError:
                if not tolerant:
                    raise
        else:
            platform, optional = str(wish.definition.get("platform") or ""), bool(wish.definition.get("build"))
            wanted.append(Wanted(wish.name, wish.image, platform, optional))
    pulls = Pulls(found, progress, tolerant=tolerant)
    pulls.bring(wanted)
    _tell_unbuilt(pulls, [one.service for one in wanted if one.optional], progress, tolerant=tolerant)


def _tell_unbuilt(pulls: Pulls, buildable: list[str], progress: StepProgress, *, tolerant: bool) -> None:
    """Say which images that could not be pulled can be built. Raises what pulling them met."""
    missing = [name for name in buildable if name in pulls.failures]
    if missing:
        said = "WARNING: Some service image(s) must be built from source by running:"
        progress.tail.append(f"{said}\n    docker compose build {' '.join(missing)}")
    if len(missing) == 1 and not tolerant:
        raise pulls.failures[missing[0]]
    if missing and not tolerant:
        raise ComposeError("\n".join(pulls.failures[name].told for name in missing))


def _pretend_to_pull(found: Session, wish: ServiceWish, progress: StepProgress) -> None:
    """Only ask the registry whether it has a service's image. Raises ComposeError where it has not."""
    from hyperbox.cli.image_transfer import auth_for, user_reference
    from hyperbox.image.pull import fetch_manifest
    from hyperbox.image.registry import Connection, Registry

    reference = user_reference(wish.image).with_tag()
    progress.event(StepEvent(wish.name, "", "working", "Pulling"))
    version = reference.digest or reference.tag
    registry = Registry.of(reference, auth_for(found.invocation, reference.domain))
    connection = Connection(registry)
    try:
        fetch_manifest(connection, reference, version)
    except EngineError as error:
        _, dialing, reason = error.message.partition(": dial ")
        address = registry.url(f"{reference.path}/manifests/{version}")
        said = (
            f'failed to do request: Head "{address}": dial {reason}' if dialing else f"{reference.canonical}: not found"
        )
        progress.event(StepEvent(wish.name, said.rpartition(": ")[2], "error", "Error"))
        if not found.invocation.flags.get("ignore-pull-failures"):
            progress.event(StepEvent(wish.name, "", "error", f" - Pull error for image: {wish.image}"))
        raise ComposeError(said) from None
    finally:
        connection.close()
    progress.event(StepEvent(wish.name, "", "done", "Pulled"))


def reason_to_skip(found: Session, wish: ServiceWish, by_image: dict[str, str]) -> str | None:
    """Return why `pull` leaves a service's image alone, or None; `by_image` has the services whose images are pulled."""
    from hyperbox.image.reference import parse_reference

    flags = found.invocation.flags
    if not wish.definition.get("image"):
        return "No image to be pulled"
    policy = str(flags.get("policy") or wish.definition.get("pull_policy") or "")
    if policy in ("never", "build"):
        return ""
    if wish.definition.get("build") and flags.get("ignore-buildable"):
        return "Image can be built"
    if policy in ("missing", "if_not_present"):
        newest = str(parse_reference(wish.image).with_tag()).endswith(":latest")
        if not newest and image_id_of(found, wish.image):
            return "Image is already present locally"
    if wish.image in by_image:
        return f"Image is already being pulled by {by_image[wish.image]}"
    return None


def push(invocation: Invocation) -> int:
    """`docker compose push`: the images of services that are built here."""
    found = session(invocation, services=invocation.arguments)
    with step_progress(invocation) as progress:
        for wish in chosen(found, invocation.arguments, dependencies=bool(invocation.flags.get("include-deps"))):
            _push_one(found, wish, (lambda event: None) if invocation.flags.get("quiet") else progress.event)
    return 0


def _push_one(found: Session, wish: ServiceWish, tell: Callable[[StepEvent], None]) -> None:
    from hyperbox.cli.image_transfer import auth_for, user_reference

    if not wish.definition.get("build"):
        tell(StepEvent(wish.name, "", "done", "Skipped"))
        return
    flags, reference = found.invocation.flags, user_reference(wish.image)
    if not image_id_of(found, wish.image) and not flags.get("ignore-push-failures"):
        raise ComposeError(f"An image does not exist locally with the tag: {reference.familiar}")
    if found.invocation.globals.get("dry-run"):
        for word, state in (("Pushing", "working"), ("Pushed", "done")):
            tell(StepEvent(wish.image, word, state))
        return

    def layer(event: Json) -> None:
        step = transfer_event(event, name=f"Pushing {wish.image}: ")
        if step is not None:
            tell(step)

    try:
        found.engine.image_push(wish.image, auth=auth_for(found.invocation, reference.domain), on_event=layer)
    except EngineError:
        if not flags.get("ignore-push-failures"):
            raise
