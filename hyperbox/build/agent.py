"""`RUN --mount=type=ssh`: a socket in the step's mounts behind which the user's ssh agent answers. No key ever enters the step."""

from __future__ import annotations

import os
import select
import socket

from hyperbox import process
from hyperbox.build.jobs import JobFailed

TYPE_CHECKING = False
if TYPE_CHECKING:
    from hyperbox.build.api import Agent

CONNECTIONS = 64
CHUNK = 1 << 16


def forward(agent: Agent, path: str, owner: tuple[int, int], mode: int) -> list[int]:
    """Serve the agent at the socket `path`; returns the pids of the processes that do it, for the caller to end."""
    pids = []
    upstream = agent.socket
    os.chdir(os.path.dirname(path))  # a socket's path must be short: unix(7)
    path = os.path.basename(path)
    if agent.keys:
        upstream = f"{path}.agent"
        pids.append(_own_agent(agent.keys, upstream))
    elif not os.path.exists(upstream):
        raise JobFailed(f"invalid empty ssh agent socket: make sure SSH_AUTH_SOCK is set (id {agent.id})", kind="plain")
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    listener.bind(path)
    os.chown(path, *owner)
    os.chmod(path, mode)
    listener.listen(CONNECTIONS)
    pid = os.fork()
    if pid == 0:
        try:
            _serve(listener, upstream)
        finally:
            os._exit(0)
    listener.close()
    return [pid, *pids]


def _own_agent(keys: tuple[str, ...], path: str) -> int:
    program, adder = process.find_program("ssh-agent"), process.find_program("ssh-add")
    if program is None or adder is None:
        raise JobFailed("keys of --ssh need ssh-agent and ssh-add: install the package openssh-client", kind="plain")
    null = os.open("/dev/null", os.O_RDWR | os.O_CLOEXEC)
    pid = process.spawn([program, "-D", "-a", path], stdin=null, stdout=null, stderr=null)
    os.close(null)
    environment = {**os.environ, "SSH_AUTH_SOCK": path, "SSH_ASKPASS": "/bin/false", "SSH_ASKPASS_REQUIRE": "never"}
    for _ in range(500):
        if os.path.exists(path):
            break
        select.select([], [], [], 0.01)
    for key in keys:
        done = process.run([adder, key], env=environment, timeout=20)
        if done.code:
            os.kill(pid, 9)
            os.waitpid(pid, 0)
            raise JobFailed(f"failed to add ssh key {key}: {done.err.decode(errors='replace').strip()}", kind="plain")
    return pid


def _serve(listener: socket.socket, upstream: str) -> None:
    """Carry bytes between every client and a connection of its own to the agent."""
    pairs: dict[socket.socket, socket.socket] = {}
    while True:
        ready, _, _ = select.select([listener, *pairs], [], [])
        for each in ready:
            if each is listener:
                client, _ = listener.accept()
                target = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
                try:
                    target.connect(upstream)
                except OSError:
                    client.close()
                    target.close()
                    continue
                pairs[client], pairs[target] = target, client
            elif each in pairs:
                _carry(each, pairs)


def _carry(source: socket.socket, pairs: dict[socket.socket, socket.socket]) -> None:
    target = pairs[source]
    try:
        data = source.recv(CHUNK)
        if data:
            target.sendall(data)
            return
    except OSError:
        pass
    for each in (source, target):
        pairs.pop(each, None)
        each.close()
