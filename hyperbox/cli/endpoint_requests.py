"""What docker asks an engine first for each command: it names the request where the engine's host can't be looked up. Pure."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from hyperbox.grammar.parse import Invocation

PING = 'Head "http://{host}/_ping"'
# path -> method, what follows the API's version; {} is the command's argument at hand, {0} and {1} its first ones
REQUESTS = {
    "container ls": ("Get", "containers/json"),
    "container attach": ("Get", "containers/{}/json"),
    "container commit": ("Post", "commit"),
    "container diff": ("Get", "containers/{}/changes"),
    "container exec": ("Get", "containers/{0}/json"),
    "container export": ("Get", "containers/{}/export"),
    "container inspect": ("Get", "containers/{}/json"),
    "container kill": ("Post", "containers/{}/kill"),
    "container logs": ("Get", "containers/{}/json"),
    "container pause": ("Post", "containers/{}/pause"),
    "container port": ("Get", "containers/{0}/json"),
    "container rename": ("Post", "containers/{0}/rename?name={1}"),
    "container restart": ("Post", "containers/{}/restart"),
    "container rm": ("Delete", "containers/{}"),
    "container start": ("Post", "containers/{}/start"),
    "container stats": ("Get", "containers/json"),
    "container stop": ("Post", "containers/{}/stop"),
    "container top": ("Get", "containers/{0}/top"),
    "container unpause": ("Post", "containers/{}/unpause"),
    "container update": ("Post", "containers/{}/update"),
    "image history": ("Get", "images/{}/history"),
    "image inspect": ("Get", "images/{}/json"),
    "image rm": ("Delete", "images/{}"),
    "image save": ("Get", "images/get?names={}"),
    "image load": ("Post", "images/load?quiet=1"),
    "inspect": ("Get", "containers/{}/json"),
    "network connect": ("Post", "networks/{0}/connect"),
    "network disconnect": ("Post", "networks/{0}/disconnect"),
    "network inspect": ("Get", "networks/{}"),
    "network ls": ("Get", "networks"),
    "network rm": ("Delete", "networks/{}"),
    "node ls": ("Get", "nodes"),
    "plugin ls": ("Get", "plugins"),
    "search": ("Get", "images/search?term={}"),
    "system df": ("Get", "system/df"),
    "system events": ("Get", "events"),
    "system info": ("Get", "info"),
    "version": ("Get", "version"),
    "volume create": ("Post", "volumes/create"),
    "volume inspect": ("Get", "volumes/{}"),
    "volume ls": ("Get", "volumes"),
    "volume rm": ("Delete", "volumes/{}"),
}
# flags that stand in the address: path -> (flag, parameter)
PARAMETERS = {
    "container ls": (("all", "all"), ("size", "size")),
    "container rm": (("force", "force"), ("link", "link"), ("volumes", "v")),
    "image rm": (("force", "force"),),
    "volume rm": (("force", "force"),),
}


def first_request(invocation: Invocation, host: str, argument: str = "") -> str:
    """Return the method and address of a command's first request, for one of its arguments where it asks for each."""
    from urllib.parse import urlencode

    found = REQUESTS.get(invocation.path)
    if found is None:
        return PING.format(host=host)
    method, path = found
    words = [*invocation.arguments, "", ""]
    path = path.format(argument or words[0], *words[1:]) if "{}" in path else path.format(*words)
    given = {name: "1" for flag, name in PARAMETERS.get(invocation.path, ()) if invocation.flags.get(flag) is True}
    filters = (
        _filters(invocation.flags.get("filter")) if path.rpartition("/")[2] in ("json", "networks", "volumes") else ""
    )
    if filters:
        given["filters"] = filters
    query = f"?{urlencode(sorted(given.items()))}" if given else ""
    return f'{method} "http://{host}/v1.51/{path}{query}"'


def _filters(given: object) -> str:
    """Return filters as the API takes them: {"key":{"value":true}}."""
    from hyperbox.files import dumps

    if not isinstance(given, (list, tuple)) or not given:
        return ""
    found: dict[str, dict[str, bool]] = {}
    for each in given:
        key, _, value = str(each).partition("=")
        found.setdefault(key.strip().lower(), {})[value.strip()] = True
    return dumps(found, sort_keys=True)
