"""What docker answers about a swarm and engine plugins where there are none: nothing here can make them, so that is always so."""

from __future__ import annotations

import os
import sys

from hyperbox.cli.connect import engine_for
from hyperbox.errors import EngineError, ExitStatus, HyperBoxError, NotFound
from hyperbox.go.text import invalid_syntax

TYPE_CHECKING = False
if TYPE_CHECKING:
    from hyperbox.grammar.parse import Invocation

NOT_MANAGER = 'This node is not a swarm manager. Use "docker swarm init" or "docker swarm join" to connect this node to swarm and try again.'
NOT_IN_SWARM = "This node is not part of a swarm"


def not_manager(invocation: Invocation) -> int:
    """A command that asks the engine once."""
    engine_for(invocation)
    raise EngineError(NOT_MANAGER)


def not_manager_each(invocation: Invocation) -> int:
    """A command that asks the engine for every word."""
    engine_for(invocation)
    raise EngineError(f"\n{EngineError('').told}".join([NOT_MANAGER] * max(len(invocation.arguments), 1)))


def inspect_cluster(invocation: Invocation) -> int:
    """docker node inspect, service inspect, secret inspect, config inspect"""
    if invocation.flags.get("pretty"):
        if invocation.flags["format"]:
            raise HyperBoxError("--format is incompatible with human friendly format")
        return not_manager(invocation)
    sys.stdout.write("\n" if invocation.flags["format"] else "[]\n")
    return not_manager_each(invocation)


def swarm_leave(invocation: Invocation) -> int:
    """docker swarm leave"""
    engine_for(invocation)
    raise EngineError(NOT_IN_SWARM)


def swarm_unlock(invocation: Invocation) -> int:
    """docker swarm unlock"""
    engine_for(invocation)
    raise HyperBoxError(f"Error: {NOT_IN_SWARM}")


def swarm_unlock_key(invocation: Invocation) -> int:
    """docker swarm unlock-key"""
    engine_for(invocation)
    raise HyperBoxError(f"could not fetch unlock key: {EngineError(NOT_MANAGER).told}")


def swarm_join_token(invocation: Invocation) -> int:
    """docker swarm join-token ROLE"""
    role = invocation.arguments[0]
    if role not in ("worker", "manager"):
        raise HyperBoxError(f"unknown role {role}")
    return not_manager(invocation)


def swarm_update(invocation: Invocation) -> int:
    """docker swarm update: without a flag it shows its help."""
    if invocation.given:
        return not_manager(invocation)
    from hyperbox.cli.help import show_help

    invocation.flags = {}
    return show_help(invocation)


def service_scale(invocation: Invocation) -> int:
    """docker service scale SERVICE=REPLICAS…"""
    told = []
    for word in invocation.arguments:
        if "=" not in word:
            from hyperbox.grammar import tables_help

            line = tables_help.LINES["docker", "service scale"]
            raise HyperBoxError(
                f"invalid scale specifier '{word}'.\nSee 'docker service scale --help'.\n\n"
                f"Usage:  docker service scale SERVICE=REPLICAS [SERVICE=REPLICAS...]\n\n{line}"
            )
    engine_for(invocation)
    for word in invocation.arguments:
        name, _, count = word.partition("=")
        if count.isascii() and count.isdigit():
            told.append(f"{name}: {EngineError(NOT_MANAGER).told}")
        else:
            told.append(f"{name}: invalid replicas value {count}: {invalid_syntax('ParseUint', count)}")
    raise HyperBoxError("\n".join(told))


def _read(path: str) -> None:
    """Raise HyperBoxError in docker's words where a secret's or config's data can't be read, or is empty."""
    shown = "STDIN" if path == "-" else path
    try:
        with open(0 if path == "-" else path, "rb", closefd=path != "-") as file:
            if file.read(1):
                return
    except IsADirectoryError:
        raise HyperBoxError(f"error reading from {shown}: read {path}: is a directory") from None
    except OSError as error:
        raise HyperBoxError(
            f"error reading from {shown}: open {path}: {os.strerror(error.errno or 0).lower()}"
        ) from None
    raise HyperBoxError(f"error reading from {shown}: data is empty")


def secret_create(invocation: Invocation) -> int:
    """docker secret create SECRET [FILE]"""
    files = invocation.arguments[1:]
    if invocation.flags["driver"]:
        if files:
            raise HyperBoxError("When using secret driver secret data must be empty")
    elif not files:
        raise HyperBoxError("secret file is required")
    else:
        _read(files[0])
    return not_manager(invocation)


def config_create(invocation: Invocation) -> int:
    """docker config create CONFIG FILE"""
    file = invocation.arguments[1]
    try:
        _read(file)
    except HyperBoxError as error:
        raise HyperBoxError(f'Error reading content from "{file}": {error.message}') from None
    return not_manager(invocation)


def stack_deploy(invocation: Invocation) -> int:
    """docker stack deploy STACK"""
    files = invocation.flags["compose-file"]
    assert isinstance(files, list)
    if not files:
        raise HyperBoxError("Specify a Compose file (with --compose-file)")
    for file in files:
        try:
            if file != "-":
                with open(file, "rb") as opened:
                    opened.read(1)
        except IsADirectoryError:
            raise HyperBoxError(f"read {file}: is a directory") from None
        except OSError as error:
            raise HyperBoxError(f"open {file}: {os.strerror(error.errno or 0).lower()}") from None
    return not_manager(invocation)


def _no_plugin(name: str) -> EngineError | HyperBoxError:
    if not name.strip():
        return HyperBoxError("invalid plugin name or ID: value is empty")
    return NotFound(f'plugin "{name}" not found')


def plugins_missing(invocation: Invocation) -> int:
    """docker plugin rm PLUGIN…"""
    engine_for(invocation)
    for name in invocation.arguments:
        sys.stderr.write(f"{_no_plugin(name).told}\n")
    raise ExitStatus(1)


def plugin_missing(invocation: Invocation) -> int:
    """docker plugin enable, disable and set, of one plugin"""
    engine_for(invocation)
    raise _no_plugin(invocation.arguments[0])


def plugin_push(invocation: Invocation) -> int:
    """docker plugin push PLUGIN"""
    from hyperbox.image.reference import parse_reference

    engine_for(invocation)
    raise _no_plugin(str(parse_reference(invocation.arguments[0]).with_tag()))


def plugin_upgrade(invocation: Invocation) -> int:
    """docker plugin upgrade PLUGIN [REMOTE]"""
    engine_for(invocation)
    raise HyperBoxError(f"error reading plugin data: {_no_plugin(invocation.arguments[0]).told}")


def inspect_plugins(invocation: Invocation) -> int:
    """docker plugin inspect PLUGIN…"""
    sys.stdout.write("\n" if invocation.flags["format"] else "[]\n")
    return plugins_missing(invocation)


def volume_update(invocation: Invocation) -> int:
    """docker volume update VOLUME: only the volumes of a swarm can be changed."""
    engine_for(invocation).volume_inspect(invocation.arguments[0])
    raise HyperBoxError("can only update cluster volumes")
