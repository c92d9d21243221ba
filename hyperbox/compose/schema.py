"""The compose specification's schema as a table: which attributes there are, and which types they take.

https://github.com/compose-spec/compose-spec/blob/main/schema/compose-spec.json states the same facts as JSON Schema; `validate` walks this.
"""

from __future__ import annotations

import re


class Schema:
    """What a value may be.

    types       JSON Schema's type names; empty: any
    options     exactly one of these has to fit
    properties  of a mapping; `keys` maps patterns of other keys to schemas; `closed`: no other keys
    """

    __slots__ = (
        "closed", "enum", "items", "keys", "maximum", "minimum", "options", "pattern", "properties", "required", "types", "unique",
    )  # fmt: skip

    def __init__(self, *types: str) -> None:
        self.types = types
        self.options: tuple[Schema, ...] = ()
        self.properties: dict[str, Schema] = {}
        self.keys: tuple[tuple[re.Pattern[str], Schema], ...] = ()
        self.closed = False
        self.required: tuple[str, ...] = ()
        self.items: Schema | None = None
        self.unique = False
        self.enum: tuple[str, ...] = ()
        self.pattern: re.Pattern[str] | None = None
        self.minimum: int | None = None
        self.maximum: int | None = None


NAME_KEY = re.compile(r"^[a-zA-Z0-9._-]+\Z")
EXTENSION_KEY = re.compile(r"^x-")
ANY_KEY = re.compile(r".+")
LOWER_KEY = re.compile(r"^[a-z]+\Z")

ANY = Schema()


def _between(minimum: int | None, maximum: int | None = None) -> Schema:
    schema = Schema("integer")
    schema.minimum, schema.maximum = minimum, maximum
    return schema


def _enum(*values: str) -> Schema:
    schema = Schema("string")
    schema.enum = values
    return schema


def _matching(pattern: str) -> Schema:
    schema = Schema("string")
    schema.pattern = re.compile(pattern)
    return schema


def _one_of(*options: Schema) -> Schema:
    schema = Schema()
    schema.options = options
    return schema


def _array(items: Schema, *, unique: bool = False) -> Schema:
    schema = Schema("array")
    schema.items, schema.unique = items, unique
    return schema


def _object(
    properties: dict[str, Schema], *required: str, extensible: bool = True, closed: bool = True, nullable: bool = False
) -> Schema:
    """A mapping with these properties, and x-… ones where it is extensible."""
    schema = Schema(*(("null", "object") if nullable else ("object",)))
    schema.properties, schema.required, schema.closed = properties, required, closed
    schema.keys = ((EXTENSION_KEY, ANY),) if extensible else ()
    return schema


def _mapping(key: re.Pattern[str], value: Schema, *, closed: bool = False) -> Schema:
    """A mapping with the user's own keys."""
    schema = Schema("object")
    schema.keys, schema.closed = ((key, value),), closed
    return schema


STRING = Schema("string")
BOOLEAN = Schema("boolean")
INTEGER = Schema("integer")
NULL = Schema("null")
# the same as strings, for interpolation
BOOLEAN_TEXT = Schema("boolean", "string")
INTEGER_TEXT = Schema("integer", "string")
NUMBER_TEXT = Schema("number", "string")
STRINGS = _array(STRING)
UNIQUE_STRINGS = _array(STRING, unique=True)
STRING_OR_LIST = _one_of(STRING, UNIQUE_STRINGS)
SCALARS = _mapping(ANY_KEY, Schema("null", "boolean", "number", "string"), closed=True)
LIST_OR_DICT = _one_of(SCALARS, UNIQUE_STRINGS)
OPTIONS = _mapping(ANY_KEY, NUMBER_TEXT)
TEXTS_BY_KEY = _mapping(ANY_KEY, STRING, closed=True)
COMMAND = _one_of(NULL, STRING, STRINGS)
EXTRA_HOSTS = _one_of(_mapping(ANY_KEY, _one_of(STRING, STRINGS), closed=True), UNIQUE_STRINGS)

FILE_REFERENCES = _array(
    _one_of(
        STRING,
        _object({"source": STRING, "target": STRING, "uid": STRING, "gid": STRING, "mode": NUMBER_TEXT}),
    )
)
ULIMITS = _mapping(
    LOWER_KEY,
    _one_of(INTEGER_TEXT, _object({"hard": INTEGER_TEXT, "soft": INTEGER_TEXT}, "soft", "hard")),
)
BUILD = _one_of(
    STRING,
    _object(
        {
            "context": STRING, "dockerfile": STRING, "dockerfile_inline": STRING, "entitlements": STRINGS, "args": LIST_OR_DICT,
            "ssh": LIST_OR_DICT, "labels": LIST_OR_DICT, "cache_from": STRINGS, "cache_to": STRINGS, "no_cache": BOOLEAN_TEXT,
            "additional_contexts": LIST_OR_DICT, "network": STRING, "provenance": BOOLEAN_TEXT, "sbom": BOOLEAN_TEXT,
            "pull": BOOLEAN_TEXT, "target": STRING, "shm_size": INTEGER_TEXT, "extra_hosts": EXTRA_HOSTS, "isolation": STRING,
            "privileged": BOOLEAN_TEXT, "secrets": FILE_REFERENCES, "tags": STRINGS, "ulimits": ULIMITS, "platforms": STRINGS,
        }
    ),
)  # fmt: skip

BLKIO_LIMITS = _array(_object({"path": STRING, "rate": INTEGER_TEXT}, extensible=False))
BLKIO_WEIGHTS = _array(_object({"path": STRING, "weight": INTEGER_TEXT}, extensible=False))
BLKIO = _object(
    {
        "device_read_bps": BLKIO_LIMITS, "device_read_iops": BLKIO_LIMITS, "device_write_bps": BLKIO_LIMITS,
        "device_write_iops": BLKIO_LIMITS, "weight": INTEGER_TEXT, "weight_device": BLKIO_WEIGHTS,
    },
    extensible=False,
)  # fmt: skip

DEPENDS_ON = _one_of(
    UNIQUE_STRINGS,
    _mapping(
        NAME_KEY,
        _object(
            {
                "restart": BOOLEAN_TEXT,
                "required": BOOLEAN,
                "condition": _enum("service_started", "service_healthy", "service_completed_successfully"),
            },
            "condition",
        ),
        closed=True,
    ),
)
HOOK = _object(
    {
        "command": COMMAND,
        "user": STRING,
        "privileged": BOOLEAN_TEXT,
        "working_dir": STRING,
        "environment": LIST_OR_DICT,
    },
    "command",
)
DEVELOP = _object(
    {
        "watch": _array(
            _object(
                {
                    "ignore": STRING_OR_LIST,
                    "include": STRING_OR_LIST,
                    "path": STRING,
                    "action": _enum("rebuild", "sync", "restart", "sync+restart", "sync+exec"),
                    "target": STRING,
                    "exec": HOOK,
                    "initial_sync": BOOLEAN,
                },
                "path",
                "action",
            )
        )
    },
    nullable=True,
)
UPDATE = _object(
    {
        "parallelism": INTEGER_TEXT, "delay": STRING, "failure_action": STRING, "monitor": STRING, "max_failure_ratio": NUMBER_TEXT,
        "order": _enum("start-first", "stop-first"),
    }
)  # fmt: skip
DEVICE_REQUEST = {
    "capabilities": UNIQUE_STRINGS,
    "count": INTEGER_TEXT,
    "device_ids": UNIQUE_STRINGS,
    "driver": STRING,
    "options": LIST_OR_DICT,
}
GENERIC_RESOURCES = _array(
    _object({"discrete_resource_spec": _object({"kind": STRING, "value": NUMBER_TEXT})}),
)
DEPLOY = _object(
    {
        "mode": STRING,
        "endpoint_mode": STRING,
        "replicas": INTEGER_TEXT,
        "labels": LIST_OR_DICT,
        "rollback_config": UPDATE,
        "update_config": UPDATE,
        "resources": _object(
            {
                "limits": _object({"cpus": NUMBER_TEXT, "memory": STRING, "pids": INTEGER_TEXT}),
                "reservations": _object(
                    {
                        "cpus": NUMBER_TEXT,
                        "memory": STRING,
                        "generic_resources": GENERIC_RESOURCES,
                        "devices": _array(_object(DEVICE_REQUEST, "capabilities")),
                    }
                ),
            }
        ),
        "restart_policy": _object(
            {"condition": STRING, "delay": STRING, "max_attempts": INTEGER_TEXT, "window": STRING}
        ),
        "placement": _object(
            {
                "constraints": STRINGS,
                "preferences": _array(_object({"spread": STRING})),
                "max_replicas_per_node": INTEGER_TEXT,
            }
        ),
    },
    nullable=True,
)
# the specification closes the list here, not its entries
GPUS = _one_of(_enum("all"), _array(_object(DEVICE_REQUEST, extensible=False, closed=False)))
HEALTHCHECK = _object(
    {
        "disable": BOOLEAN_TEXT, "interval": STRING, "retries": NUMBER_TEXT, "test": _one_of(STRING, STRINGS), "timeout": STRING,
        "start_period": STRING, "start_interval": STRING,
    }
)  # fmt: skip
ENV_FILE = _one_of(
    STRING,
    _array(
        _one_of(
            STRING,
            _object({"path": STRING, "format": STRING, "required": BOOLEAN_TEXT}, "path", extensible=False),
        )
    ),
)
_PROVIDER_SCALAR = Schema("boolean", "number", "string")
PROVIDER = _object(
    {"type": STRING, "options": _mapping(ANY_KEY, _one_of(_PROVIDER_SCALAR, _array(_PROVIDER_SCALAR)))},
    "type",
)
SERVICE_MODELS = _one_of(
    UNIQUE_STRINGS,
    _mapping(NAME_KEY, _one_of(_object({"endpoint_var": STRING, "model_var": STRING}), NULL)),
)
SERVICE_NETWORKS = _one_of(
    UNIQUE_STRINGS,
    _mapping(
        NAME_KEY,
        _one_of(
            _object(
                {
                    "aliases": UNIQUE_STRINGS, "interface_name": STRING, "ipv4_address": STRING, "ipv6_address": STRING,
                    "link_local_ips": UNIQUE_STRINGS, "mac_address": STRING, "driver_opts": OPTIONS,
                    "priority": Schema("number"), "gw_priority": Schema("number"),
                }
            ),
            NULL,
        ),
        closed=True,
    ),
)  # fmt: skip
PORTS = _array(
    _one_of(
        Schema("number"),
        STRING,
        _object(
            {
                "name": STRING, "mode": STRING, "host_ip": STRING, "target": INTEGER_TEXT, "published": INTEGER_TEXT,
                "protocol": STRING, "app_protocol": STRING,
            }
        ),
    ),
    unique=True,
)  # fmt: skip
MOUNTS = _array(
    _one_of(
        STRING,
        _object(
            {
                "type": _enum("bind", "volume", "tmpfs", "cluster", "npipe", "image"),
                "source": STRING,
                "target": STRING,
                "read_only": BOOLEAN_TEXT,
                "consistency": STRING,
                "bind": _object(
                    {
                        "propagation": STRING,
                        "create_host_path": BOOLEAN_TEXT,
                        "recursive": _enum("enabled", "disabled", "writable", "readonly"),
                        "selinux": _enum("z", "Z"),
                    }
                ),
                "volume": _object({"labels": LIST_OR_DICT, "nocopy": BOOLEAN_TEXT, "subpath": STRING}),
                "tmpfs": _object({"size": _one_of(_between(0), STRING), "mode": NUMBER_TEXT}),
                "image": _object({"subpath": STRING}),
            },
            "type",
        ),
    ),
    unique=True,
)
DEVICES = _array(
    _one_of(STRING, _object({"source": STRING, "target": STRING, "permissions": STRING}, "source")),
)
EXTENDS = _one_of(STRING, _object({"service": STRING, "file": STRING}, "service", extensible=False))
LOGGING = _object({"driver": STRING, "options": _mapping(ANY_KEY, Schema("null", "number", "string"))})
PULL_POLICY = _matching(r"always|never|build|if_not_present|missing|refresh|daily|weekly|every_([0-9]+[wdhms])+")

SERVICE = _object(
    {
        "develop": DEVELOP, "deploy": DEPLOY, "annotations": LIST_OR_DICT, "attach": BOOLEAN_TEXT, "build": BUILD,
        "blkio_config": BLKIO, "cap_add": UNIQUE_STRINGS, "cap_drop": UNIQUE_STRINGS, "cgroup": _enum("host", "private"),
        "cgroup_parent": STRING, "command": COMMAND, "configs": FILE_REFERENCES,
        "container_name": _matching(r"[a-zA-Z0-9][a-zA-Z0-9_.-]+"),
        "cpu_count": _one_of(STRING, _between(0)), "cpu_percent": _one_of(STRING, _between(0, 100)), "cpu_shares": NUMBER_TEXT,
        "cpu_quota": NUMBER_TEXT, "cpu_period": NUMBER_TEXT, "cpu_rt_period": NUMBER_TEXT, "cpu_rt_runtime": NUMBER_TEXT,
        "cpus": NUMBER_TEXT, "cpuset": STRING,
        "credential_spec": _object({"config": STRING, "file": STRING, "registry": STRING}),
        "depends_on": DEPENDS_ON, "device_cgroup_rules": UNIQUE_STRINGS, "devices": DEVICES, "dns": STRING_OR_LIST,
        "dns_opt": UNIQUE_STRINGS, "dns_search": STRING_OR_LIST, "domainname": STRING, "entrypoint": COMMAND, "env_file": ENV_FILE,
        "label_file": _one_of(STRING, STRINGS), "environment": LIST_OR_DICT,
        "expose": _array(NUMBER_TEXT, unique=True), "extends": EXTENDS, "provider": PROVIDER, "external_links": UNIQUE_STRINGS,
        "extra_hosts": EXTRA_HOSTS, "gpus": GPUS, "group_add": _array(NUMBER_TEXT, unique=True), "healthcheck": HEALTHCHECK,
        "hostname": STRING, "image": STRING, "init": BOOLEAN_TEXT, "ipc": STRING, "isolation": STRING, "labels": LIST_OR_DICT,
        "links": UNIQUE_STRINGS, "logging": LOGGING, "mac_address": STRING, "mem_limit": NUMBER_TEXT,
        "mem_reservation": INTEGER_TEXT, "mem_swappiness": INTEGER_TEXT, "memswap_limit": NUMBER_TEXT, "network_mode": STRING,
        "models": SERVICE_MODELS, "networks": SERVICE_NETWORKS, "oom_kill_disable": BOOLEAN_TEXT,
        "oom_score_adj": _one_of(STRING, _between(-1000, 1000)), "pid": Schema("null", "string"), "pids_limit": NUMBER_TEXT,
        "platform": STRING, "ports": PORTS, "post_start": _array(HOOK), "pre_stop": _array(HOOK), "privileged": BOOLEAN_TEXT,
        "profiles": UNIQUE_STRINGS, "pull_policy": PULL_POLICY, "pull_refresh_after": STRING, "read_only": BOOLEAN_TEXT,
        "restart": STRING, "runtime": STRING, "scale": INTEGER_TEXT, "security_opt": UNIQUE_STRINGS, "shm_size": NUMBER_TEXT,
        "secrets": FILE_REFERENCES, "sysctls": LIST_OR_DICT, "stdin_open": BOOLEAN_TEXT, "stop_grace_period": STRING,
        "stop_signal": STRING, "storage_opt": Schema("object"), "tmpfs": STRING_OR_LIST, "tty": BOOLEAN_TEXT, "ulimits": ULIMITS,
        "use_api_socket": BOOLEAN, "user": STRING, "uts": STRING, "userns_mode": STRING, "volumes": MOUNTS,
        "volumes_from": UNIQUE_STRINGS, "working_dir": STRING,
    }
)  # fmt: skip


def _external(*, closed: bool) -> Schema:
    schema = _object({"name": STRING}, extensible=closed, closed=closed)
    schema.types = ("boolean", "string", "object")
    return schema


IPAM_POOL = _object({"subnet": STRING, "ip_range": STRING, "gateway": STRING, "aux_addresses": TEXTS_BY_KEY})
NETWORK = _object(
    {
        "name": STRING, "driver": STRING, "driver_opts": OPTIONS,
        "ipam": _object({"driver": STRING, "config": _array(IPAM_POOL), "options": TEXTS_BY_KEY}),
        "external": _external(closed=True), "internal": BOOLEAN_TEXT, "enable_ipv4": BOOLEAN_TEXT, "enable_ipv6": BOOLEAN_TEXT,
        "attachable": BOOLEAN_TEXT, "labels": LIST_OR_DICT,
    },
    nullable=True,
)  # fmt: skip
VOLUME = _object(
    {
        "name": STRING, "driver": STRING, "driver_opts": OPTIONS, "external": _external(closed=True), "labels": LIST_OR_DICT,
    },
    nullable=True,
)  # fmt: skip
SECRET = _object(
    {
        "name": STRING, "environment": STRING, "file": STRING, "external": _external(closed=False), "labels": LIST_OR_DICT,
        "driver": STRING, "driver_opts": OPTIONS, "template_driver": STRING,
    }
)  # fmt: skip
CONFIG = _object(
    {
        "name": STRING, "content": STRING, "environment": STRING, "file": STRING, "external": _external(closed=False),
        "labels": LIST_OR_DICT, "template_driver": STRING,
    }
)  # fmt: skip
MODEL = _object({"name": STRING, "model": STRING, "context_size": INTEGER, "runtime_flags": STRINGS}, "model")
INCLUDE = _one_of(
    STRING,
    _object({"path": STRING_OR_LIST, "env_file": STRING_OR_LIST, "project_directory": STRING}, extensible=False),
)

COMPOSE = _object(
    {
        "version": STRING,
        "name": STRING,
        "include": _array(INCLUDE),
        "services": _mapping(NAME_KEY, SERVICE, closed=True),
        "models": _mapping(NAME_KEY, MODEL),
        "networks": _mapping(NAME_KEY, NETWORK),
        "volumes": _mapping(NAME_KEY, VOLUME, closed=True),
        "secrets": _mapping(NAME_KEY, SECRET, closed=True),
        "configs": _mapping(NAME_KEY, CONFIG, closed=True),
    }
)
