"""The attributes of each part of a project: their order in the output, and their kinds. Tables only; `decode` and `render` walk them."""

from __future__ import annotations

from typing import NamedTuple

from hyperbox.compose import kinds
from hyperbox.compose.kinds import Kind


class Struct(NamedTuple):
    """A part with fixed attributes. `extensions`: whether x-… keys are kept."""

    fields: tuple[Field, ...]
    extensions: bool = True


class Field(NamedTuple):
    """An attribute that is a leaf (`kind`), or a part of its own (`part`), or a collection of parts.

    shape     "" one, "list", "map" by the user's keys
    nullable  an absent one differs from an empty one (a pointer in Go): a given {} is shown, and null stays null in a map
    always    shown even if it is zero: (in YAML, in JSON)
    json_key  the name in JSON where that differs
    told      the name in complaints where that differs
    """

    key: str
    kind: Kind | None = None
    part: Struct | None = None
    shape: str = ""
    nullable: bool = False
    always: tuple[bool, bool] = (False, False)
    json_key: str = ""
    told: str = ""


def _leaf(key: str, kind: Kind) -> Field:
    return Field(key, kind)


def _texts(*keys: str) -> tuple[Field, ...]:
    return tuple(Field(key, kinds.TEXT) for key in keys)


def _one(key: str, part: Struct) -> Field:
    return Field(key, part=part, nullable=True)


def _embedded(key: str, part: Struct) -> Field:
    """A part that JSON shows even when it is empty."""
    return Field(key, part=part, always=(False, True))


def _list(key: str, part: Struct) -> Field:
    return Field(key, part=part, shape="list")


def _map(key: str, part: Struct, *, nullable: bool = False) -> Field:
    return Field(key, part=part, shape="map", nullable=nullable)


FILE_REFERENCE = Struct((*_texts("source", "target", "uid", "gid"), _leaf("mode", kinds.FILE_MODE)))
HOOK = Struct(
    (
        Field("command", kinds.COMMAND, always=(False, True)),
        *_texts("user"),
        _leaf("privileged", kinds.BOOLEAN),
        *_texts("working_dir"),
        _leaf("environment", kinds.ENVIRONMENT),
    )
)
BUILD = Struct(
    (
        *_texts("context", "dockerfile", "dockerfile_inline"),
        _leaf("entitlements", kinds.TEXTS),
        _leaf("args", kinds.ENVIRONMENT),
        *_texts("provenance", "sbom"),
        _leaf("ssh", kinds.SSH),
        _leaf("labels", kinds.LABELS),
        _leaf("cache_from", kinds.STRING_LIST),
        _leaf("cache_to", kinds.STRING_LIST),
        _leaf("no_cache", kinds.BOOLEAN),
        _leaf("additional_contexts", kinds.MAPPING),
        _leaf("pull", kinds.BOOLEAN),
        _leaf("extra_hosts", kinds.HOSTS),
        *_texts("isolation", "network", "target"),
        _list("secrets", FILE_REFERENCE),
        _leaf("shm_size", kinds.BYTES),
        _leaf("tags", kinds.STRING_LIST),
        _leaf("ulimits", kinds.ULIMITS),
        _leaf("platforms", kinds.STRING_LIST),
        _leaf("privileged", kinds.BOOLEAN),
    )
)
TRIGGER = Struct(
    (
        Field("path", kinds.TEXT, always=(True, True)),
        Field("action", kinds.TEXT, always=(True, True)),
        *_texts("target"),
        _embedded("exec", HOOK),
        _leaf("include", kinds.TEXTS),
        _leaf("ignore", kinds.TEXTS),
        _leaf("initial_sync", kinds.BOOLEAN),
    )
)
DEVELOP = Struct((_list("watch", TRIGGER),))
WEIGHT_DEVICE = Struct(
    (
        Field("path", kinds.TEXT, always=(True, True), json_key="Path", told="Path"),
        Field("weight", kinds.UNSIGNED16, always=(True, True), json_key="Weight", told="Weight"),
    )
)
THROTTLE_DEVICE = Struct(
    (
        Field("path", kinds.TEXT, always=(True, True), json_key="Path", told="Path"),
        Field("rate", kinds.BYTES, always=(True, True), json_key="Rate", told="Rate"),
    )
)
BLKIO = Struct(
    (
        _leaf("weight", kinds.UNSIGNED16),
        _list("weight_device", WEIGHT_DEVICE),
        _list("device_read_bps", THROTTLE_DEVICE),
        _list("device_read_iops", THROTTLE_DEVICE),
        _list("device_write_bps", THROTTLE_DEVICE),
        _list("device_write_iops", THROTTLE_DEVICE),
    )
)
CREDENTIAL_SPEC = Struct(_texts("config", "file", "registry"))
DEPENDENCY = Struct(
    (*_texts("condition"), _leaf("restart", kinds.BOOLEAN), Field("required", kinds.BOOLEAN, always=(True, True)))
)
UPDATE = Struct(
    (
        _leaf("parallelism", kinds.UNSIGNED_OR_NONE),
        _leaf("delay", kinds.DURATION),
        *_texts("failure_action"),
        _leaf("monitor", kinds.DURATION),
        _leaf("max_failure_ratio", kinds.SINGLE),
        *_texts("order"),
    )
)
DEVICE_REQUEST = Struct(
    (
        _leaf("capabilities", kinds.TEXTS),
        *_texts("driver"),
        _leaf("count", kinds.DEVICE_COUNT),
        _leaf("device_ids", kinds.TEXTS),
        _leaf("options", kinds.MAPPING),
    ),
    extensions=False,
)
DISCRETE = Struct(
    (
        Field("kind", kinds.TEXT, always=(True, True), told="Kind"),
        Field("value", kinds.INTEGER, always=(True, True), told="Value"),
    )
)
GENERIC_RESOURCE = Struct((_one("discrete_resource_spec", DISCRETE),))
RESOURCE = Struct(
    (
        _leaf("cpus", kinds.CPUS),
        _leaf("memory", kinds.BYTES),
        _leaf("pids", kinds.INTEGER),
        _list("devices", DEVICE_REQUEST),
        _list("generic_resources", GENERIC_RESOURCE),
    )
)
RESOURCES = Struct((_one("limits", RESOURCE), _one("reservations", RESOURCE)))
RESTART_POLICY = Struct(
    (
        *_texts("condition"),
        _leaf("delay", kinds.DURATION_OR_NONE),
        _leaf("max_attempts", kinds.UNSIGNED_OR_NONE),
        _leaf("window", kinds.DURATION_OR_NONE),
    )
)
PLACEMENT = Struct(
    (
        _leaf("constraints", kinds.TEXTS),
        _list("preferences", Struct(_texts("spread"))),
        _leaf("max_replicas_per_node", kinds.UNSIGNED),
    )
)
DEPLOY = Struct(
    (
        *_texts("mode"),
        _leaf("replicas", kinds.INTEGER_OR_NONE),
        _leaf("labels", kinds.LABELS),
        _one("update_config", UPDATE),
        _one("rollback_config", UPDATE),
        _embedded("resources", RESOURCES),
        _one("restart_policy", RESTART_POLICY),
        _embedded("placement", PLACEMENT),
        *_texts("endpoint_mode"),
    )
)
DEVICE = Struct(_texts("source", "target", "permissions"))
ENV_FILE = Struct(
    (*_texts("path"), Field("required", kinds.BOOLEAN, always=(True, True)), *_texts("format")), extensions=False
)
HEALTHCHECK = Struct(
    (
        _leaf("test", kinds.HEALTH_TEST),
        _leaf("timeout", kinds.DURATION_OR_NONE),
        _leaf("interval", kinds.DURATION_OR_NONE),
        _leaf("retries", kinds.UNSIGNED_OR_NONE),
        _leaf("start_period", kinds.DURATION_OR_NONE),
        _leaf("start_interval", kinds.DURATION_OR_NONE),
        _leaf("disable", kinds.BOOLEAN),
    )
)
LOGGING = Struct((*_texts("driver"), _leaf("options", kinds.OPTIONS)))
SERVICE_MODEL = Struct(_texts("endpoint_var", "model_var"))
SERVICE_NETWORK = Struct(
    (
        _leaf("aliases", kinds.TEXTS),
        _leaf("driver_opts", kinds.OPTIONS),
        _leaf("gw_priority", kinds.INTEGER),
        *_texts("interface_name", "ipv4_address", "ipv6_address"),
        _leaf("link_local_ips", kinds.TEXTS),
        *_texts("mac_address"),
        _leaf("priority", kinds.INTEGER),
    )
)
PORT = Struct(
    (
        *_texts("name", "mode", "host_ip"),
        _leaf("target", kinds.UNSIGNED32),
        *_texts("published", "protocol", "app_protocol"),
    )
)
BIND = Struct((*_texts("selinux", "propagation"), _leaf("create_host_path", kinds.BOOLEAN), *_texts("recursive")))
MOUNT = Struct(
    (
        *_texts("type", "source", "target"),
        _leaf("read_only", kinds.BOOLEAN),
        *_texts("consistency"),
        _one("bind", BIND),
        _one("volume", Struct((_leaf("labels", kinds.MAPPING), _leaf("nocopy", kinds.BOOLEAN), *_texts("subpath")))),
        _one("tmpfs", Struct((_leaf("size", kinds.BYTES), _leaf("mode", kinds.UNSIGNED32)))),
        _one("image", Struct(_texts("subpath"))),
    )
)
PROVIDER = Struct((*_texts("type"), _leaf("options", kinds.MULTI_OPTIONS)))

SERVICE = Struct(
    (
        _leaf("profiles", kinds.TEXTS),
        _leaf("annotations", kinds.MAPPING),
        _leaf("attach", kinds.BOOLEAN_OR_NONE),
        _one("build", BUILD),
        _one("develop", DEVELOP),
        _one("blkio_config", BLKIO),
        _leaf("cap_add", kinds.TEXTS),
        _leaf("cap_drop", kinds.TEXTS),
        *_texts("cgroup_parent", "cgroup"),
        _leaf("cpu_count", kinds.INTEGER),
        _leaf("cpu_percent", kinds.SINGLE),
        _leaf("cpu_period", kinds.INTEGER),
        _leaf("cpu_quota", kinds.INTEGER),
        _leaf("cpu_rt_period", kinds.INTEGER),
        _leaf("cpu_rt_runtime", kinds.INTEGER),
        _leaf("cpus", kinds.SINGLE),
        *_texts("cpuset"),
        _leaf("cpu_shares", kinds.INTEGER),
        Field("command", kinds.COMMAND, always=(False, True)),
        _list("configs", FILE_REFERENCE),
        *_texts("container_name"),
        _one("credential_spec", CREDENTIAL_SPEC),
        _map("depends_on", DEPENDENCY),
        _one("deploy", DEPLOY),
        _leaf("device_cgroup_rules", kinds.TEXTS),
        _list("devices", DEVICE),
        _leaf("dns", kinds.STRING_LIST),
        _leaf("dns_opt", kinds.TEXTS),
        _leaf("dns_search", kinds.STRING_LIST),
        *_texts("dockerfile", "domainname"),
        Field("entrypoint", kinds.COMMAND, always=(False, True)),
        _one("provider", PROVIDER),
        _leaf("environment", kinds.ENVIRONMENT),
        _list("env_file", ENV_FILE),
        _leaf("expose", kinds.NUMBER_LIST),
        Field("extends", part=Struct(_texts("file", "service"), extensions=False), nullable=True),
        _leaf("external_links", kinds.TEXTS),
        _leaf("extra_hosts", kinds.HOSTS),
        _leaf("group_add", kinds.TEXTS),
        _list("gpus", DEVICE_REQUEST),
        *_texts("hostname"),
        _one("healthcheck", HEALTHCHECK),
        *_texts("image"),
        _leaf("init", kinds.BOOLEAN_OR_NONE),
        *_texts("ipc", "isolation"),
        _leaf("labels", kinds.LABELS),
        _leaf("label_file", kinds.TEXTS),
        _leaf("links", kinds.TEXTS),
        _one("logging", LOGGING),
        *_texts("log_driver"),
        _leaf("log_opt", kinds.TEXT_MAP),
        _leaf("mem_limit", kinds.BYTES),
        _leaf("mem_reservation", kinds.BYTES),
        _leaf("memswap_limit", kinds.BYTES),
        _leaf("mem_swappiness", kinds.BYTES),
        *_texts("mac_address"),
        _map("models", SERVICE_MODEL, nullable=True),
        *_texts("net", "network_mode"),
        _map("networks", SERVICE_NETWORK, nullable=True),
        _leaf("oom_kill_disable", kinds.BOOLEAN),
        _leaf("oom_score_adj", kinds.INTEGER),
        *_texts("pid"),
        _leaf("pids_limit", kinds.INTEGER),
        *_texts("platform"),
        _list("ports", PORT),
        _leaf("privileged", kinds.BOOLEAN),
        *_texts("pull_policy"),
        _leaf("read_only", kinds.BOOLEAN),
        *_texts("restart", "runtime"),
        _leaf("scale", kinds.INTEGER_OR_NONE),
        _list("secrets", FILE_REFERENCE),
        _leaf("security_opt", kinds.TEXTS),
        _leaf("shm_size", kinds.BYTES),
        _leaf("stdin_open", kinds.BOOLEAN),
        _leaf("stop_grace_period", kinds.DURATION_OR_NONE),
        *_texts("stop_signal"),
        _leaf("storage_opt", kinds.TEXT_MAP),
        _leaf("sysctls", kinds.MAPPING),
        _leaf("tmpfs", kinds.STRING_LIST),
        _leaf("tty", kinds.BOOLEAN),
        _leaf("ulimits", kinds.ULIMITS),
        _leaf("use_api_socket", kinds.BOOLEAN),
        *_texts("user", "userns_mode", "uts", "volume_driver"),
        _list("volumes", MOUNT),
        _leaf("volumes_from", kinds.TEXTS),
        *_texts("working_dir"),
        _list("post_start", HOOK),
        _list("pre_stop", HOOK),
    )
)

IPAM_POOL = Struct((*_texts("subnet", "gateway", "ip_range"), _leaf("aux_addresses", kinds.MAPPING)), extensions=False)
NETWORK = Struct(
    (
        *_texts("name", "driver"),
        _leaf("driver_opts", kinds.OPTIONS),
        _embedded("ipam", Struct((*_texts("driver"), _list("config", IPAM_POOL)))),
        _leaf("external", kinds.BOOLEAN),
        _leaf("internal", kinds.BOOLEAN),
        _leaf("attachable", kinds.BOOLEAN),
        _leaf("labels", kinds.LABELS),
        _leaf("enable_ipv4", kinds.BOOLEAN_OR_NONE),
        _leaf("enable_ipv6", kinds.BOOLEAN_OR_NONE),
    )
)
VOLUME = Struct(
    (
        *_texts("name", "driver"),
        _leaf("driver_opts", kinds.OPTIONS),
        _leaf("external", kinds.BOOLEAN),
        _leaf("labels", kinds.LABELS),
    )
)
FILE_OBJECT = Struct(
    (
        *_texts("name", "file", "environment", "content"),
        _leaf("external", kinds.BOOLEAN),
        _leaf("labels", kinds.LABELS),
        *_texts("driver"),
        _leaf("driver_opts", kinds.TEXT_MAP),
        *_texts("template_driver"),
    )
)
MODEL = Struct(
    (
        *_texts("name", "model"),
        _leaf("context_size", kinds.INTEGER),
        _leaf("runtime_flags", kinds.TEXTS),
    )
)
PROJECT = Struct(
    (
        Field("name", kinds.TEXT, always=(False, True)),
        Field("services", part=SERVICE, shape="map", always=(True, True)),
        _map("networks", NETWORK),
        _map("volumes", VOLUME),
        _map("secrets", FILE_OBJECT),
        _map("configs", FILE_OBJECT),
        _map("models", MODEL),
    )
)
