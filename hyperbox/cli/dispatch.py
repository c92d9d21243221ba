"""From a parsed command line to the function that does it: one table, one import.

A verb's function takes the Invocation and returns the exit code. It is imported only when its verb is called.
"""

from __future__ import annotations

import _signal  # type: ignore[import-not-found]
import os
import sys

from hyperbox.errors import Unreachable, UnsupportedError, UsageError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from hyperbox.grammar.parse import Invocation

# canonical path of the command (aliases resolved by the grammar) -> "module:function" below hyperbox.cli
VERBS: dict[str, str] = {
    "container run": "run:run",
    "container create": "run:create",
    "container start": "lifecycle:start",
    "container stop": "lifecycle:stop",
    "container restart": "lifecycle:restart",
    "container kill": "lifecycle:kill",
    "container rm": "lifecycle:remove",
    "container pause": "lifecycle:pause",
    "container unpause": "lifecycle:unpause",
    "container wait": "lifecycle:wait",
    "container attach": "streams:attach",
    "container exec": "streams:execute",
    "container logs": "streams:logs",
    "image pull": "image_transfer:pull",
    "image push": "image_transfer:push",
    "image load": "image_transfer:load",
    "image save": "image_transfer:save",
    "image import": "image_transfer:import_image",
    "login": "login:login",
    "logout": "login:logout",
    "search": "search:search",
    "manifest annotate": "manifest:annotate",
    "manifest create": "manifest:create",
    "manifest inspect": "manifest:inspect",
    "manifest push": "manifest:push",
    "manifest rm": "manifest:remove",
    "system events": "streams:events",
    "container ls": "container_list:list_containers",
    "container port": "container_manage:port",
    "container top": "container_manage:top",
    "container rename": "container_manage:rename",
    "container update": "container_manage:update",
    "container prune": "container_manage:prune",
    "image ls": "image_list:list_images",
    "image rm": "image_manage:remove",
    "image tag": "image_manage:tag",
    "image prune": "image_manage:prune",
    "inspect": "inspect:inspect",
    "container inspect": "inspect:inspect_containers",
    "image inspect": "inspect:inspect_images",
    "network inspect": "inspect:inspect_networks",
    "volume inspect": "inspect:inspect_volumes",
    "version": "version:version",
    "context ls": "context:list_contexts",
    "context inspect": "context:inspect",
    "context show": "context:show",
    "context create": "context:create",
    "context use": "context:use",
    "context rm": "context:remove",
    "context update": "context:update",
    "context export": "context:export",
    "context import": "context:import_context",
    "plugin ls": "plugin:list_plugins",
    "system df": "disk_usage:disk_usage",
    "system prune": "system:prune",
    "system info": "system:info",
    "container stats": "container_stats:stats",
    "compose config": "compose_config:config",
    "image history": "image_history:history",
    "volume ls": "volume:list_volumes",
    "volume create": "volume:create",
    "volume rm": "volume:remove",
    "volume prune": "volume:prune",
    "network ls": "network:list_networks",
    "network create": "network:create",
    "network rm": "network:remove",
    "network connect": "network:connect",
    "network disconnect": "network:disconnect",
    "network prune": "network:prune",
    "container cp": "copy:copy",
    "container diff": "copy:diff",
    "container export": "copy:export",
    "container commit": "copy:commit",
    "compose up": "compose_up:up",
    "compose create": "compose_up:create",
    "compose scale": "compose_up:scale",
    "compose build": "compose_build:build",
    "compose pull": "compose_images:pull",
    "compose push": "compose_images:push",
    "compose down": "compose_lifecycle:down",
    "compose stop": "compose_lifecycle:stop",
    "compose start": "compose_lifecycle:start",
    "compose restart": "compose_lifecycle:restart",
    "compose kill": "compose_lifecycle:kill",
    "compose pause": "compose_lifecycle:pause",
    "compose unpause": "compose_lifecycle:unpause",
    "compose rm": "compose_lifecycle:remove_stopped",
    "compose logs": "compose_logs:logs",
    "compose ps": "compose_ps:ps",
    "compose ls": "compose_ps:list_projects",
    "compose images": "compose_ps:images",
    "compose port": "compose_ps:port",
    "compose top": "compose_ps:top",
    "compose volumes": "compose_ps:volumes",
    "compose stats": "compose_ps:stats",
    "compose version": "compose_ps:version",
    "compose exec": "compose_exec:execute",
    "compose run": "compose_run:run",
    "compose attach": "compose_exec:attach",
    "compose cp": "compose_exec:copy",
    "compose wait": "compose_wait:wait",
    "compose watch": "compose_watch:watch",
    "compose events": "compose_events:events",
    "compose export": "compose_events:export",
    "compose commit": "compose_events:commit",
    "help": "help:show_help",
    "--version": "help:show_version",
    "image build": "build:build",
    "builder prune": "build_cache:prune",
    "buildx bake": "bake:bake",
    "buildx create": "builder_create:create",
    "buildx du": "build_cache:disk_usage",
    "buildx imagetools create": "imagetools:create",
    "buildx imagetools inspect": "imagetools:inspect",
    "buildx inspect": "buildx:inspect",
    "buildx install": "buildx:install",
    "buildx ls": "buildx:list_builders",
    "buildx rm": "buildx:remove",
    "buildx stop": "buildx:stop",
    "buildx uninstall": "buildx:uninstall",
    "buildx use": "buildx:use",
    "buildx version": "buildx:version",
    "__complete": "complete:complete",
    "completion bash": "completion:show_script",
    "completion fish": "completion:show_script",
    "completion powershell": "completion:show_script",
    "completion zsh": "completion:show_script",
    "plugin disable": "absent:plugin_missing",
    "plugin enable": "absent:plugin_missing",
    "plugin inspect": "absent:inspect_plugins",
    "plugin push": "absent:plugin_push",
    "plugin rm": "absent:plugins_missing",
    "plugin set": "absent:plugin_missing",
    "plugin upgrade": "absent:plugin_upgrade",
    "volume update": "absent:volume_update",
    "config create": "absent:config_create",
    "config inspect": "absent:inspect_cluster",
    "config ls": "absent:not_manager",
    "config rm": "absent:not_manager_each",
    "node demote": "absent:not_manager",
    "node inspect": "absent:inspect_cluster",
    "node ls": "absent:not_manager",
    "node promote": "absent:not_manager",
    "node ps": "absent:not_manager_each",
    "node rm": "absent:not_manager_each",
    "node update": "absent:not_manager",
    "secret create": "absent:secret_create",
    "secret inspect": "absent:inspect_cluster",
    "secret ls": "absent:not_manager",
    "secret rm": "absent:not_manager_each",
    "service create": "absent:not_manager",
    "service inspect": "absent:inspect_cluster",
    "service logs": "absent:not_manager",
    "service ls": "absent:not_manager",
    "service ps": "absent:not_manager",
    "service rm": "absent:not_manager_each",
    "service rollback": "absent:not_manager",
    "service scale": "absent:service_scale",
    "service update": "absent:not_manager",
    "stack deploy": "absent:stack_deploy",
    "stack ls": "absent:not_manager",
    "stack ps": "absent:not_manager",
    "stack rm": "absent:not_manager",
    "stack services": "absent:not_manager",
    "swarm ca": "absent:not_manager",
    "swarm join-token": "absent:swarm_join_token",
    "swarm leave": "absent:swarm_leave",
    "swarm unlock": "absent:swarm_unlock",
    "swarm unlock-key": "absent:swarm_unlock_key",
    "swarm update": "absent:swarm_update",
    "hyperbox bench": "own_verbs:bench",
    "hyperbox config": "own_verbs:config",
    "hyperbox doctor": "own_verbs:doctor",
    "hyperbox env": "own_verbs:env",
    "hyperbox project": "own_verbs:project",
    "hyperbox compat": "compat:show_table",
}
# those that start processes after they have loaded what makes a command large
STARTING = frozenset({"compose exec", "compose restart", "compose run", "compose scale", "compose start", "compose up"})


def _become_plugin(arguments: list[str]) -> None:
    """See `client_plugins.run_named`."""
    from hyperbox.cli.client_plugins import run_named

    run_named(arguments)


def dispatch(arguments: list[str]) -> int:
    """Parse `arguments` (argv, the program's name first), call the verb's function and return its exit code.

    Raises UnsupportedError for a command of docker's grammar that has no function.
    """
    from hyperbox.grammar.parse import EarlyNotice, parse

    notices: list[str] = []
    try:
        invocation: Invocation = parse(arguments, notices)
        if invocation.path in ("help", "--version") and len(arguments) > 2:
            _become_plugin(arguments)
    except UsageError:
        _become_plugin(arguments)
        from hyperbox.cli.configuration_file import warn_early

        warn_early(arguments)
        raise
    finally:
        for notice in notices:
            (sys.stderr if isinstance(notice, EarlyNotice) else sys.stdout).write(notice + "\n")
    module_name, _, function_name = VERBS.get(invocation.path, "").partition(":")
    if not module_name:
        program = "" if invocation.path.startswith("hyperbox ") else "docker "
        raise UnsupportedError(f"{program}{invocation.path} is not supported yet")
    if invocation.path in STARTING:
        from hyperbox.engine import starter

        starter.prepare()
    if invocation.globals.get("compatibility"):
        os.environ["COMPOSE_COMPATIBILITY"] = "true"  # where the names are made, and the files read, it is looked for
    module = __import__(f"hyperbox.cli.{module_name}", fromlist=[function_name])
    verb = getattr(module, function_name)
    if invocation.globals.get("progress") == "json":
        from hyperbox.cli.compose_progress import with_json_errors

        return with_json_errors(verb, invocation)
    if invocation.path.startswith("compose "):
        _signal.signal(_signal.SIGTERM, _signal.default_int_handler)  # docker compose ends alike at both
    try:
        code: int = verb(invocation)
    except Unreachable as error:
        from hyperbox.cli.endpoint import tell

        return tell(invocation, error)
    except KeyboardInterrupt:
        if invocation.path.startswith("compose "):
            sys.stderr.write("\n")  # docker compose tells its own end here, in no words
        raise
    return code
