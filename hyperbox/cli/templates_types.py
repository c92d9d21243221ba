"""The typed records of docker's inspect, info and version: for each, its Go name, its fields in Go's order, their JSON names and types.

A field is GoName[=JsonName][:type]; without a type it is a string. Types: i int, i64 int64, u16 uint16 …, b bool, f float, t time.Time,
d time.Duration, any, []T, {}T (a map from strings), {K}T (from strings of the type K), e an empty struct, *T a pointer, Name another
record of this table, name!T the type T under a Go name of its own. "+" before a field embeds it: its fields are the outer record's too,
and stand in the same JSON object. Recorded from docker 28.5 with {{printf "%#v" .}}.
"""

from __future__ import annotations

from hyperbox.cli.templates_values import (
    MISSING,
    Duration,
    GoList,
    GoMap,
    Named,
    NilPointer,
    Number,
    Pointer,
    Spoken,
    Struct,
)

TYPE_CHECKING = False
if TYPE_CHECKING:
    Types = dict[str, tuple[str, str]]

STRUCTS: dict[str, tuple[str, str]] = {
    "Container": (
        "container.InspectResponse",
        "+ContainerJSONBase:*ContainerJSONBase Mounts:[]MountPoint Config:*Config NetworkSettings:*NetworkSettings"
        " ImageManifestDescriptor:*Descriptor",
    ),
    "ContainerJSONBase": (
        "container.ContainerJSONBase",
        "ID=Id Created Path Args:[]s State:*State Image ResolvConfPath HostnamePath HostsPath LogPath Name RestartCount:i Driver"
        " Platform MountLabel ProcessLabel AppArmorProfile ExecIDs:[]s HostConfig:*HostConfig GraphDriver:DriverData"
        " SizeRw:*int64 SizeRootFs:*int64",
    ),
    "State": (
        "container.State",
        "Status Running:b Paused:b Restarting:b OOMKilled:b Dead:b Pid:i ExitCode:i Error StartedAt FinishedAt Health:*Health",
    ),
    "Health": ("container.Health", "Status FailingStreak:i Log:[]*HealthcheckResult"),
    "HealthcheckResult": ("container.HealthcheckResult", "Start:t End:t ExitCode:i Output"),
    "DriverData": ("storage.DriverData", "Data:{}s Name"),
    "MountPoint": (
        "container.MountPoint",
        "Type:mount.Type!s Name Source Destination Driver Mode RW:b Propagation:mount.Propagation!s",
    ),
    "LogConfig": ("container.LogConfig", "Type Config:{}s"),
    "RestartPolicy": ("container.RestartPolicy", "Name:container.RestartPolicyMode!s MaximumRetryCount:i"),
    "PortBinding": ("nat.PortBinding", "HostIP=HostIp HostPort"),
    "HostConfig": (
        "container.HostConfig",
        "Binds:[]s ContainerIDFile LogConfig:LogConfig NetworkMode:container.NetworkMode!s"
        " PortBindings:nat.PortMap!{nat.Port}[]PortBinding"
        " RestartPolicy:RestartPolicy AutoRemove:b VolumeDriver VolumesFrom:[]s ConsoleSize:[2]uint![]u Annotations:{}s"
        " CapAdd:strslice.StrSlice![]s CapDrop:strslice.StrSlice![]s CgroupnsMode:container.CgroupnsMode!s DNS=Dns:[]s DNSOptions=DnsOptions:[]s"
        " DNSSearch=DnsSearch:[]s ExtraHosts:[]s GroupAdd:[]s IpcMode:container.IpcMode!s"
        " Cgroup:container.CgroupSpec!s Links:[]s OomScoreAdj:i PidMode:container.PidMode!s Privileged:b"
        " PublishAllPorts:b ReadonlyRootfs:b SecurityOpt:[]s StorageOpt:{}s Tmpfs:{}s UTSMode:container.UTSMode!s"
        " UsernsMode:container.UsernsMode!s ShmSize:i64 Sysctls:{}s"
        " Runtime Isolation:container.Isolation!s +Resources:Resources Mounts:[]Mount MaskedPaths:[]s ReadonlyPaths:[]s Init:*bool",
    ),
    "Resources": (
        "container.Resources",
        "CPUShares=CpuShares:i64 Memory:i64 NanoCPUs=NanoCpus:i64 CgroupParent BlkioWeight:u16 BlkioWeightDevice:[]*WeightDevice"
        " BlkioDeviceReadBps:[]*ThrottleDevice BlkioDeviceWriteBps:[]*ThrottleDevice BlkioDeviceReadIOps:[]*ThrottleDevice"
        " BlkioDeviceWriteIOps:[]*ThrottleDevice CPUPeriod=CpuPeriod:i64 CPUQuota=CpuQuota:i64"
        " CPURealtimePeriod=CpuRealtimePeriod:i64 CPURealtimeRuntime=CpuRealtimeRuntime:i64 CpusetCpus CpusetMems"
        " Devices:[]DeviceMapping DeviceCgroupRules:[]s DeviceRequests:[]DeviceRequest KernelMemory:i64 KernelMemoryTCP:i64"
        " MemoryReservation:i64 MemorySwap:i64 MemorySwappiness:*int64 OomKillDisable:*bool PidsLimit:*int64 Ulimits:[]*Ulimit"
        " CPUCount=CpuCount:i64 CPUPercent=CpuPercent:i64 IOMaximumIOps:u64 IOMaximumBandwidth:u64",
    ),
    "WeightDevice": ("blkiodev.WeightDevice", "Path Weight:u16"),
    "ThrottleDevice": ("blkiodev.ThrottleDevice", "Path Rate:u64"),
    "Ulimit": ("units.Ulimit", "Name Hard:i64 Soft:i64"),
    "DeviceMapping": ("container.DeviceMapping", "PathOnHost PathInContainer CgroupPermissions"),
    "DeviceRequest": ("container.DeviceRequest", "Driver Count:i DeviceIDs:[]s Capabilities:[][]s Options:{}s"),
    "Mount": (
        "mount.Mount",
        "Type:mount.Type!s Source Target ReadOnly:b Consistency:mount.Consistency!s BindOptions:*BindOptions VolumeOptions:*VolumeOptions"
        " ImageOptions:*ImageOptions TmpfsOptions:*TmpfsOptions ClusterOptions:*ClusterOptions",
    ),
    "BindOptions": (
        "mount.BindOptions",
        "Propagation:mount.Propagation!s NonRecursive:b CreateMountpoint:b ReadOnlyNonRecursive:b ReadOnlyForceRecursive:b",
    ),
    "VolumeOptions": ("mount.VolumeOptions", "NoCopy:b Labels:{}s Subpath DriverConfig:*MountDriver"),
    "MountDriver": ("mount.Driver", "Name Options:{}s"),
    "ImageOptions": ("mount.ImageOptions", "Subpath"),
    "TmpfsOptions": ("mount.TmpfsOptions", "SizeBytes:i64 Mode:fs.FileMode!u32 Options:[][]s"),
    "ClusterOptions": ("mount.ClusterOptions", ""),
    "Config": (
        "container.Config",
        "Hostname Domainname User AttachStdin:b AttachStdout:b AttachStderr:b ExposedPorts:nat.PortSet!{nat.Port}e Tty:b OpenStdin:b"
        " StdinOnce:b Env:[]s Cmd:strslice.StrSlice![]s Healthcheck:*HealthcheckConfig ArgsEscaped:b Image Volumes:{}e WorkingDir"
        " Entrypoint:strslice.StrSlice![]s NetworkDisabled:b MacAddress OnBuild:[]s Labels:{}s StopSignal StopTimeout:*int"
        " Shell:strslice.StrSlice![]s",
    ),
    "HealthcheckConfig": (
        "v1.HealthcheckConfig",
        "Test:[]s Interval:d Timeout:d StartPeriod:d StartInterval:d Retries:i",
    ),
    "NetworkSettings": (
        "container.NetworkSettings",
        "+NetworkSettingsBase:NetworkSettingsBase +DefaultNetworkSettings:DefaultNetworkSettings Networks:{}*EndpointSettings",
    ),
    "NetworkSettingsBase": (
        "container.NetworkSettingsBase",
        "Bridge SandboxID SandboxKey Ports:nat.PortMap!{nat.Port}[]PortBinding HairpinMode:b LinkLocalIPv6Address"
        " LinkLocalIPv6PrefixLen:i SecondaryIPAddresses:[]Address SecondaryIPv6Addresses:[]Address",
    ),
    "DefaultNetworkSettings": (
        "container.DefaultNetworkSettings",
        "EndpointID Gateway GlobalIPv6Address GlobalIPv6PrefixLen:i IPAddress IPPrefixLen:i IPv6Gateway MacAddress",
    ),
    "Address": ("network.Address", "Addr PrefixLen:i"),
    "EndpointSettings": (
        "network.EndpointSettings",
        "IPAMConfig:*EndpointIPAMConfig Links:[]s Aliases:[]s MacAddress DriverOpts:{}s GwPriority:i NetworkID EndpointID Gateway"
        " IPAddress IPPrefixLen:i IPv6Gateway GlobalIPv6Address GlobalIPv6PrefixLen:i DNSNames:[]s",
    ),
    "EndpointIPAMConfig": ("network.EndpointIPAMConfig", "IPv4Address IPv6Address LinkLocalIPs:[]s"),
    "Descriptor": (
        "v1.Descriptor",
        "MediaType=mediaType Digest=digest:digest.Digest!s Size=size:i64 URLs=urls:[]s Annotations=annotations:{}s Data=data"
        " Platform=platform:*Platform ArtifactType=artifactType",
    ),
    "Platform": (
        "v1.Platform",
        "Architecture=architecture OS=os OSVersion=os.version OSFeatures=os.features:[]s Variant=variant",
    ),
    "Image": (
        "image.InspectResponse",
        "ID=Id RepoTags:[]s RepoDigests:[]s Parent Comment Created Container ContainerConfig:*Config DockerVersion Author"
        " Config:*ImageConfigExtended Architecture Variant Os OsVersion Size:i64 VirtualSize:i64 GraphDriver:DriverData RootFS:RootFS"
        " Metadata:Metadata Descriptor:*Descriptor Manifests:[]any",
    ),
    "ImageConfigExtended": (
        "v1.DockerOCIImageConfig",
        "+ImageConfig:ImageConfig +DockerOCIImageConfigExt:DockerOCIImageConfigExt",
    ),
    "ImageConfig": (
        "v1.ImageConfig",
        "User ExposedPorts:{}e Env:[]s Entrypoint:[]s Cmd:[]s Volumes:{}e WorkingDir Labels:{}s StopSignal ArgsEscaped:b",
    ),
    "DockerOCIImageConfigExt": (
        "v1.DockerOCIImageConfigExt",
        "Healthcheck:*HealthcheckConfig OnBuild:[]s Shell:[]s",
    ),
    "RootFS": ("image.RootFS", "Type Layers:[]s"),
    "Metadata": ("image.Metadata", "LastTagTime:t"),
    "Network": (
        "network.Inspect",
        "Name ID=Id Created:t Scope Driver EnableIPv4:b EnableIPv6:b IPAM:IPAM Internal:b Attachable:b Ingress:b"
        " ConfigFrom:ConfigReference ConfigOnly:b Containers:{}EndpointResource Options:{}s Labels:{}s Peers:[]any Services:{}any",
    ),
    "IPAM": ("network.IPAM", "Driver Options:{}s Config:[]IPAMConfig"),
    "IPAMConfig": ("network.IPAMConfig", "Subnet IPRange Gateway AuxAddress=AuxiliaryAddresses:{}s"),
    "ConfigReference": ("network.ConfigReference", "Network"),
    "EndpointResource": ("network.EndpointResource", "Name EndpointID MacAddress IPv4Address IPv6Address"),
    "Volume": (
        "volume.Volume",
        "ClusterVolume:*ClusterVolume CreatedAt Driver Labels:{}s Mountpoint Name Options:{}s Scope Status:{}any"
        " UsageData:*UsageData",
    ),
    "ClusterVolume": ("volume.ClusterVolume", "ID"),
    "UsageData": ("volume.UsageData", "RefCount:i64 Size:i64"),
    "Context": ("context.contextWithTLSListing", "+Metadata:ContextMetadata TLSMaterial:{}any Storage:ContextStorage"),
    "ContextMetadata": ("store.Metadata", "Name Metadata:any Endpoints:{}any"),
    "ContextDetails": ("context.DockerContext", "Description AdditionalFields:{}any"),
    "ContextEndpoint": ("docker.EndpointMeta", "Host SkipTLSVerify:b"),
    "ContextStorage": ("store.StorageInfo", "MetadataPath TLSPath"),
}


# records that print themselves
STRINGERS = {"units.Ulimit": lambda raw: f"{raw.get('Name')}={raw.get('Soft')}:{raw.get('Hard')}"}


def typed(name: str, raw: object, *, pointer: bool = False, types: Types | None = None) -> Struct:
    """Return a JSON object as the record `name` of a table (`STRUCTS`); its fields are made when they are asked for."""
    table = STRUCTS if types is None else types
    go_name, fields = table[name]
    value = raw if isinstance(raw, dict) else {}
    text = STRINGERS[go_name](value) if go_name in STRINGERS else None
    return Struct(go_name, fields, value, lambda item, kind: convert(item, kind, table), pointer=pointer, text=text)


def typed_context(raw: dict[str, object]) -> Struct:
    """Return a context as docker's record of it, which has records of other types behind interfaces."""
    metadata, endpoints = raw.get("Metadata"), raw.get("Endpoints")
    inner = {
        key: typed("ContextEndpoint", each) for key, each in (endpoints if isinstance(endpoints, dict) else {}).items()
    }
    return typed("Context", {**raw, "Metadata": typed("ContextDetails", metadata), "Endpoints": inner})


def convert(value: object, kind: str, types: Types = STRUCTS) -> object:
    """Return a JSON value as a value of that type; an absent one is the type's zero value."""
    if kind == "s":
        return value if isinstance(value, str) else ""
    if kind in ("i", "d"):
        number = int(value) if isinstance(value, (int, float)) else 0
        return Duration(number) if kind == "d" else number
    if kind == "b":
        return value is True
    if kind == "f":
        return float(value) if isinstance(value, (int, float)) else 0.0
    if kind == "t":
        return Struct("time.Time", "", value or "0001-01-01T00:00:00Z", convert, text=time_text(str(value or "")))
    if kind == "e":
        return Struct("struct {}", "", {}, convert)
    if kind == "any":
        return value
    if kind in NUMBERS:
        return Number(int(value) if isinstance(value, (int, float)) else 0, NUMBERS[kind])
    return _composed(value, kind, types)


def _composed(value: object, kind: str, types: Types) -> object:
    if "!" in kind:
        go_name, _, kind = kind.partition("!")
    else:
        go_name = type_text(kind, types)
    if kind.startswith("[]"):
        items = value if isinstance(value, list) else []
        return GoList((convert(item, kind[2:], types) for item in items), go_name, is_nil=value is None)
    if kind == "s":
        return Named(value if isinstance(value, str) else "", go_name)
    if kind in NUMBERS:
        number = int(value) if isinstance(value, (int, float)) else 0
        return Spoken(number, go_name, mode_text(number)) if go_name == "fs.FileMode" else Number(number, go_name)
    if kind.startswith("{"):
        key_type, _, inner = kind[1:].partition("}")
        entries = value if isinstance(value, dict) else {}
        converted = {
            Named(key, key_type) if key_type else str(key): convert(item, inner, types) for key, item in entries.items()
        }
        return GoMap(converted, go_name, zero(inner, types), is_nil=value is None, key=key_type or "string")
    if kind.startswith("*"):
        inner = kind[1:]
        if inner in types:
            if not isinstance(value, dict):
                return NilPointer(types[inner][0], _names(types[inner][1]))
            return typed(inner, value, pointer=True, types=types)
        return Pointer(value, inner) if isinstance(value, (bool, int)) else NilPointer(inner)
    return typed(kind, value, types=types)


def zero(kind: str, types: Types) -> object:
    """Return the zero value of a type, as `index` gives it for an absent key."""
    return MISSING if kind == "any" else convert(None, kind, types)


def _names(fields: str) -> list[str]:
    return [field.partition(":")[0].partition("=")[0].lstrip("+") for field in fields.split()]


NUMBERS = {
    "i32": "int32",
    "i64": "int64",
    "u": "uint",
    "u16": "uint16",
    "u32": "uint32",
    "u64": "uint64",
}
PLAIN = {
    **NUMBERS,
    "s": "string",
    "i": "int",
    "b": "bool",
    "f": "float64",
    "t": "time.Time",
    "e": "struct {}",
    "any": "interface {}",
}


def type_text(kind: str, types: Types) -> str:
    """Return Go's name of a type of the table."""
    if kind.startswith("[]"):
        return "[]" + type_text(kind[2:], types)
    if kind.startswith("{}"):
        return "map[string]" + type_text(kind[2:], types)
    if kind.startswith("*"):
        return "*" + type_text(kind[1:], types)
    if "!" in kind:
        return kind.partition("!")[0]
    return types[kind][0] if kind in types else PLAIN.get(kind, kind)


def mode_text(mode: int) -> str:
    """Return a mode as fs.FileMode prints itself: "-rwxr-x---"."""
    kinds = "".join(letter for place, letter in enumerate("dalTLDpSugct?") if mode >> (31 - place) & 1)
    bits = "".join(letter if mode >> (8 - place) & 1 else "-" for place, letter in enumerate("rwxrwxrwx"))
    return (kinds or "-") + bits


def time_text(value: str) -> str:
    """Return an RFC 3339 time as time.Time prints itself: "2026-11-24 03:53:21.301998812 +0000 UTC"."""
    if not value:
        return "0001-01-01 00:00:00 +0000 UTC"
    day, clock = value[:10], value[11:]
    if clock.endswith("Z"):
        return f"{day} {clock[:-1]} +0000 UTC"
    zone = clock[-6:]
    return f"{day} {clock[:-6]} {zone.replace(':', '')} {zone.replace(':', '')}"
