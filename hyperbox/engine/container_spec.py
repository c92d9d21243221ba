"""The record that describes a container to be; see `engine.api`, where those who don't count imports find it too."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    Json = dict[str, object]


class ContainerSpec:
    """A container to be: what `POST /containers/create` takes, and the project that it belongs to. Never changed after it is made.

    name               the name without "/", or "" for a generated one
    config             the API's ContainerConfig: Image, Cmd, Entrypoint, Env, Labels, User, WorkingDir, Tty, OpenStdin,
                       StdinOnce, AttachStdin/out/err, ExposedPorts, Volumes, Healthcheck, StopSignal, StopTimeout, Hostname …
                       Only what the user gave: the image's own defaults are merged by the engine.
    host_config        the API's HostConfig: Binds, Mounts, PortBindings, RestartPolicy, NetworkMode, Memory, NanoCpus …
    networking_config  {"EndpointsConfig": {network: EndpointSettings}}
    project            the HyperBox project that it belongs to: its cgroup is hyperbox/PROJECT/ID. `docker run` has "default".
    platform           "" or os/arch[/variant]
    archive            a tar whose content is in the container's file system as soon as the container is there; b"" for nothing
    """

    __slots__ = ("archive", "config", "host_config", "name", "networking_config", "platform", "project")

    def __init__(
        self,
        name: str,
        config: Json,
        host_config: Json,
        networking_config: Json | None = None,
        *,
        project: str = "default",
        platform: str = "",
        archive: bytes = b"",
    ) -> None:
        self.name = name
        self.config = config
        self.host_config = host_config
        self.networking_config = networking_config if networking_config is not None else {}
        self.project = project
        self.platform = platform
        self.archive = archive
