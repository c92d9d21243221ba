"""`docker plugin ls`: the engine has no plugins, and the list says so as docker's does where there are none."""

from __future__ import annotations

from hyperbox.cli.connect import engine_for
from hyperbox.cli.container_list import parse_filters
from hyperbox.cli.output_list import Listing, configured_format, show
from hyperbox.errors import check_filters

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from hyperbox.grammar.parse import Invocation

HEADERS = {"ID": "ID", "Name": "NAME", "Description": "DESCRIPTION", "Enabled": "ENABLED"}
FILTERS = frozenset({"enabled", "capability"})


def list_plugins(invocation: Invocation) -> int:
    """docker plugin ls"""
    flags = invocation.flags
    engine_for(invocation)
    check_filters(parse_filters(flags["filter"]), FILTERS)
    quiet = bool(flags["quiet"])
    methods: dict[str, Callable[..., object]] = {name: (lambda _plugin: "") for name in (*HEADERS, "PluginReference")}
    listing = Listing("*plugin.pluginContext", methods, HEADERS, tuple(HEADERS))
    show(listing, [], configured_format(invocation, "pluginsFormat", quiet=quiet), quiet=quiet)
    return 0
