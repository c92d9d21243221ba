"""The command lines whose output is recorded from the real docker over the fixed objects (see stub_engine)."""

from __future__ import annotations

CONTAINER_TEMPLATES = r"""
{{.State}}
{{.State.Status}} {{.State.Running}} {{.State.ExitCode}} {{.State.OOMKilled}}
{{.State.Health.Status}}
{{json .State.Health.Log}}
{{.State.Foo}}
{{.Id}}
{{.ID}}
{{.ID}} {{.Id}}
{{.Name}} {{.Path}} {{.Args}} {{.RestartCount}} {{.Driver}}
{{.Config.Env}}
{{json .Config.Env}}
{{range .Config.Env}}{{println .}}{{end}}
{{.Config.Labels}}
{{.Config.Labels.nope}}
{{index .Config.Labels "com.docker.compose.project"}}
{{index .Config.Labels "nope"}}|
{{.Config.Cmd}} {{.Config.Entrypoint}} {{.Config.Image}}
{{json .Config.Entrypoint}}
{{.Config.Healthcheck}}
{{.Config.Healthcheck.Interval}} {{.Config.Healthcheck.Timeout}} {{.Config.Healthcheck.StartPeriod}}
{{.Config.StopTimeout}}
{{.Config.Volumes}}
{{.Config.ExposedPorts}}
{{range $p, $_ := .Config.ExposedPorts}}{{$p}} {{end}}
{{.HostConfig.Memory}} {{.HostConfig.NanoCpus}}
{{.HostConfig.NanoCPUs}}
{{.HostConfig.RestartPolicy}} {{.HostConfig.RestartPolicy.Name}}:{{.HostConfig.RestartPolicy.MaximumRetryCount}}
{{.HostConfig.LogConfig}}
{{.HostConfig.Binds}}
{{.HostConfig.PortBindings}}
{{.HostConfig.Tmpfs}} {{.HostConfig.ConsoleSize}}
{{json .HostConfig.Devices}} {{.HostConfig.Devices}}
{{json .HostConfig.Ulimits}}
{{(index .HostConfig.Ulimits 0).Name}} {{(index .HostConfig.Ulimits 0).Soft}}
{{.HostConfig.CapAdd}} {{json .HostConfig.CapAdd}}
{{.HostConfig.PidsLimit}} {{.HostConfig.MemorySwappiness}}
{{.HostConfig.Init}}
{{.HostConfig.MaskedPaths}}
{{.NetworkSettings.Ports}}
{{json .NetworkSettings.Ports}}
{{(index (index .NetworkSettings.Ports "80/tcp") 0).HostPort}}
{{range $p, $conf := .NetworkSettings.Ports}}{{$p}}->{{range $conf}}{{.HostIp}}:{{.HostPort}},{{end}} {{end}}
{{range $p, $conf := .NetworkSettings.Ports}}{{$p}}->{{(index $conf 0).HostPort}} {{end}}
{{.NetworkSettings.IPAddress}}
{{range .NetworkSettings.Networks}}{{.IPAddress}}{{end}}
{{range $name, $net := .NetworkSettings.Networks}}{{$name}}={{$net.Gateway}} {{$net.Aliases}} {{$net.DNSNames}}{{end}}
{{.NetworkSettings.Networks.bridge.MacAddress}}
{{.NetworkSettings.Networks.nope.MacAddress}}
{{with .State.Health}}{{.Status}}{{else}}none{{end}}
{{if .Config.Healthcheck}}{{.Name}} => {{.State.Health.Status}}{{end}}
{{.Mounts}}
{{json .Mounts}}
{{range .Mounts}}{{.Source}}:{{.Destination}}:{{.RW}} {{end}}
{{range .Mounts}}{{if eq .Type "volume"}}{{.Name}}{{end}}{{end}}
{{len .Mounts}}
{{.GraphDriver.Name}}
{{.ExecIDs}} {{json .ExecIDs}}
{{.SizeRw}}
{{.Created}}
{{.State.StartedAt}}
{{slice .Id 0 12}}
{{printf "%.12s" .Id}}
{{printf "%s is %s since %v (%d)" .Name .State.Status .State.Running .State.Pid}}
{{upper .Name | printf "%q"}}
{{title "hello world"}} {{lower "ABC"}} {{pad "x" 2 3}}|{{truncate "hello" 2}}
{{join .Args ","}}
{{join (split "a:b:c" ":") "/"}}
{{.Foo}}
{{.Foo.Bar}}
{{.Name.Foo}}
{{.Config.Env.Foo}}
{{index .Args 3}}
{{index .Config.Env 0}}
{{len .Config.Env}} {{len .Name}} {{len 3}}
{{eq .State.Status "running"}} {{ne .State.ExitCode 0}} {{lt 1 2}} {{ge 1.5 1.5}}
{{eq .State.ExitCode "0"}}
{{and .State.Running .Config.Image}} {{or "" .Config.Image}} {{not .State.Paused}}
{{if and (eq .State.Status "running") (not .State.Paused)}}up{{else if .State.Paused}}paused{{else}}down{{end}}
{{$x := .Name}}{{with .Config}}{{$x}} {{.Image}} {{$.Name}}{{end}}
{{range $i, $e := .Config.Env}}{{if $i}}, {{end}}{{$i}}:{{$e}}{{end}}
{{range .Args}}{{if eq . "sleep"}}{{continue}}{{end}}{{.}}{{break}}{{end}}
{{range .ExecIDs}}x{{else}}empty{{end}}
{{- /* a comment */ -}} x {{- " y " -}} z
{{define "t"}}<{{.}}>{{end}}{{template "t" .Name}}
{{template "nope"}}
{{block "b" .Config}}{{.Image}}{{end}}
{{html "<a href='x'>&\""}} {{urlquery "a b&c/d"}} {{js "it's <b>"}}
{{print 1 2 "x" 3 nil}} {{println "a" 1}}
{{printf "%v %d %s %q %x %t %5.2f|%-5s|%05d|%+d|%c|%U|%o|%b|%e|%T" .Args 42 "s" "q" 255 true 3.14159 "ab" 42 7 65 65 8 5 1234.5 .Name}}
{{printf "%d %s" "a" 1}} {{printf "%d"}} {{printf "x" 1}} {{printf "%!"}}
{{printf "%6.2f%%|%x|%X|% x|%#x|%#v" 12.3456 "hi" "hi" "hi" 255 "q"}}
{{printf "%*d|%-*d|%[2]d %[1]d" 5 42 4 7}}
{{printf "%+v" .State.Health}}
{{printf "%T %T %T %T %T" 1 1.5 "a" true nil}}
{{1.0}} {{1e3}} {{0x10}} {{0b11}} {{0o17}} {{1_000}} {{'a'}} {{1i}}
{{true}} {{"a\tb\u00e9"}} {{`raw\n`}}
{{nil}}
{{3 | printf "%d-%d" 4}}
{{.Name | len | printf "%d"}}
{{"x" 1}}
{{.Name 1}}
{{index 1 2}}
{{slice .Name 9 2}}
{{call .Name}}
{{lt 1 "a"}}
{{eq .Args .Args}}
{{.State.Running.X}}
{{(.State).Status}}
{{(index .Mounts 0).Type}}
{{(index .Mounts 99).Type}}
{{upper 3}}
{{split .Name}}
{{join .Name ","}}
{{range 3}}{{.}}{{end}}
{{range .Name}}x{{end}}
{{range $i := 2}}{{$i}}{{end}}
{{json .Config.Labels}} {{json .Name}} {{json nil}} {{json 1.50}} {{json "<a&b>"}}
{{json .HostConfig.LogConfig}}
{{json .NetworkSettings.Networks.bridge.IPAMConfig}}
{{.Platform}}{{.Image}}
{{with $h := .HostConfig}}{{$h.ShmSize}}{{end}}
{{with .Foo}}x{{end}}
{{if .Foo}}x{{end}}
{{
{{.Id
{{end}}
{{if}}x{{end}}
{{if .Id}}
{{else}}
{{foo .Id}}
{{$x}}
{{.Id | 3}}
{{"abc}}
{{/* x
{{.Id}} {{range}}{{end}}
{{1.2.3}}
{{(.Id}}
{{.Id)}}
{{break}}
{{define "x"}}
{{template x}}
{{'ab'}}
{{99999999999999999999}}
{{08}}
{{1a}}
{{.a$b}}
{{.Id @}}
{{"\q"}}
{{range $a, $b, $c := .Args}}{{end}}
{{range $a, 1 := .Args}}{{end}}
{{if $x := .Id}}{{$x}}{{end}}
{{$x = 1}}
{{with .State}}{{else with .Config}}{{end}}{{if 1}}{{else}}{{else}}{{end}}
{{nil.Foo}}
{{.Id.}}
{{|}}
{{.Id|}}
{{ }}
""".strip("\n").split("\n")

LIST_TEMPLATES = (
    "json",
    "table",
    "raw",
    "{{json .}}",
    "{{.ID}}: {{.Names}} {{.Image}}",
    "table {{.ID}}\\t{{.Names}}\\t{{.Status}}",
    "table {{.Names}}\t{{.Ports}}",
    'table {{.Label "com.docker.compose.project"}}\\t{{.Label "a.b-c_d"}}\\t{{.Labels}}',
    "table {{upper .Names}}\\t{{truncate .Image 3}}",
    "{{.Names}}\\n{{.Mounts}}|{{.LocalVolumes}}|{{.Networks}}",
    "table {{.Size}}\\t{{.Mounts}}\\t{{.LocalVolumes}}\\t{{.Networks}}\\t{{.State}}\\t{{.RunningFor}}",
    "{{.Command}}",
    "{{.Size}}",
    "{{.Platform}}",
    "{{.Bad}}",
    "table {{.Bad}}",
    "{{.Names",
    "{{.Names.X}}",
    "{{.Label}}",
    "{{.Label 1}}",
    '{{range split .Ports ", "}}<{{.}}>{{end}}',
    '{{if eq .State "running"}}{{.Names}}{{end}}',
    "plain",
    "table plain",
    "",
)

COMMANDS: list[list[str]] = [
    *(["inspect", "-f", template, "c1"] for template in CONTAINER_TEMPLATES),
    *(["ps", "-a", "--format", template] for template in LIST_TEMPLATES),
    ["ps", "-a"],
    ["ps", "-aq"],
    ["ps", "-a", "--no-trunc"],
    ["ps", "-aq", "--no-trunc"],
    ["ps", "-as"],
    ["ps", "-aq", "--format", "x"],
    ["ps", "-a", "--no-trunc", "--format", "{{.ID}} {{.Names}} {{.Image}} {{.Command}} {{.Mounts}}"],
    ["ps", "-aq", "--format", "raw"],
    ["container", "ls", "--format", "table {{.ID}}"],
    ["images"],
    ["images", "-q"],
    ["images", "-q", "--no-trunc"],
    ["images", "--no-trunc"],
    ["images", "--digests"],
    ["images", "--digests", "--no-trunc"],
    ["images", "--format", "json"],
    ["images", "--format", "raw"],
    ["images", "--format", "{{.Repository}}:{{.Tag}} {{.ID}} {{.Size}}"],
    ["images", "--format", "{{.Repository}}@{{.Digest}}"],
    ["images", "--format", "table {{.Repository}}\\t{{.Digest}}\\t{{.VirtualSize}}"],
    ["images", "--format", "table {{.ID}}\\t{{.Containers}}\\t{{.SharedSize}}\\t{{.UniqueSize}}\\t{{.CreatedSince}}"],
    ["images", "--format", "{{.Nope}}"],
    ["images", "-q", "--format", "{{.ID}}"],
    ["image", "ls", "--tree"],
    ["system", "df"],
    ["system", "df", "--format", "json"],
    ["system", "df", "--format", "{{.Type}}: {{.TotalCount}} {{.Active}} {{.Size}} {{.Reclaimable}}"],
    ["system", "df", "--format", "table {{.Type}}\\t{{.Size}}"],
    ["system", "df", "--format", "{{.X}}"],
    ["system", "df", "-v"],
    ["system", "df", "-v", "--format", "json"],
    ["system", "df", "-v", "--format", "{{range .Containers}}{{.Names}} {{.Size}},{{end}}"],
    ["stats", "--no-stream", "c1"],
    ["stats", "--no-stream", "--format", "json", "c1"],
    ["stats", "--no-stream", "--format", "{{.Container}} {{.Name}} {{.CPUPerc}} {{.MemPerc}}", "c1"],
    ["stats", "--no-stream", "--no-trunc", "--format", "table {{.ID}}\\t{{.NetIO}}\\t{{.BlockIO}}\\t{{.PIDs}}", "c1"],
    ["stats", "--no-stream", "nope"],
    ["port", "c1"],
    ["port", "c1", "80"],
    ["port", "c1", "80/tcp"],
    ["port", "c1", "81"],
    ["port", "c1", "9000/udp"],
    ["port", "c1", "x"],
    ["port", "c1", "99999"],
    ["port", "nope"],
    ["top", "c1"],
    ["top", "c1", "-o", "pid"],
    ["inspect", "c1"],
    ["inspect", "nope"],
    ["inspect", "c1", "nope", "-f", "{{.Name}}"],
    ["inspect", "nope", "-f", "{{.Name}}"],
    ["inspect", "-f", "json", "c1"],
    ["inspect", "-f", "{{.Id}}", "bridge"],
    ["inspect", "-f", "{{.Id}} {{.RepoTags}}", "busybox"],
    ["inspect", "--type", "image", "busybox", "-f", "{{.Config.Cmd}}"],
    ["inspect", "--type", "image", "c1"],
    ["inspect", "--type", "bogus", "c1"],
    ["inspect", "--type", "", "c1"],
    ["inspect", "--type", "volume", "vol", "-f", "{{.Mountpoint}}"],
    ["inspect", "vol", "-f", "{{.Labels}} {{.Options}} {{.UsageData}} {{json .Options}}"],
    ["inspect", "-s", "bridge", "-f", "{{.Name}}"],
    ["container", "inspect", "nope", "c1", "-f", "{{.Name}}"],
    ["container", "inspect", "nope"],
    ["image", "inspect", "busybox", "-f", "{{.ID}}"],
    ["image", "inspect", "busybox", "-f", "{{.Id}}"],
    ["image", "inspect", "busybox", "-f", "{{index .RepoTags 0}} {{.RepoDigests}} {{.Size}} {{.Os}}/{{.Architecture}}"],
    ["image", "inspect", "busybox", "-f", "{{index .RepoDigests 0}}"],
    ["image", "inspect", "busybox", "-f", "{{.RootFS}} {{.GraphDriver.Name}} {{.Metadata}} {{.Descriptor}}"],
    ["image", "inspect", "busybox", "-f", "{{json .Config}}"],
    [
        "image",
        "inspect",
        "busybox",
        "-f",
        "{{.Config.Env}} {{.Config.Labels}} {{.Config.Healthcheck}} {{.Config.Volumes}}",
    ],
    ["image", "inspect", "busybox", "-f", "{{.ContainerConfig}} {{.Config.Hostname}}"],
    ["image", "inspect", "nope"],
    ["image", "inspect", "busybox"],
    ["network", "inspect", "bridge"],
    ["network", "inspect", "bridge", "-f", "{{.Name}} {{.ID}} {{.Driver}} {{.Scope}} {{.Internal}}"],
    ["network", "inspect", "bridge", "-f", "{{.IPAM}} {{(index .IPAM.Config 0).Subnet}} {{.Options}}"],
    ["network", "inspect", "bridge", "-f", "{{range .IPAM.Config}}{{.Gateway}}{{end}} {{.Created}} {{.ConfigFrom}}"],
    ["network", "inspect", "bridge", "-f", "{{range $id, $c := .Containers}}{{$c.Name}} {{$c.IPv4Address}} {{end}}"],
    ["network", "inspect", "nope"],
    ["volume", "inspect", "vol"],
    ["volume", "inspect", "vol", "-f", "{{.}}"],
    ["volume", "inspect", "vol", "-f", '{{.Name}} {{.Driver}} {{.Status}} {{.CreatedAt}} {{index .Labels "k"}}'],
    ["volume", "inspect", "vol", "nope", "-f", "{{.Name}}"],
    ["version", "--format", "{{.Server.Version}} {{.Server.APIVersion}} {{.Server.Os}}"],
    ["version", "--format", "{{json .Server}}"],
    ["version", "--format", "{{range .Server.Components}}{{.Name}} {{.Version}} {{.Details.GitCommit}}\n{{end}}"],
    ["version", "--format", "{{.Bad}}"],
    ["version", "--format", "{{"],
    ["info", "--format", "{{.ServerVersion}} {{.Driver}} {{.NCPU}} {{.MemTotal}} {{.OSType}}"],
    ["info", "--format", "{{json .SecurityOptions}} {{.SecurityOptions}}"],
    ["info", "--format", "{{.Swarm.LocalNodeState}} {{.CgroupVersion}} {{.CgroupDriver}} {{.DefaultRuntime}}"],
    ["info", "--format", "{{.DriverStatus}} {{.Plugins}} {{.RegistryConfig.InsecureRegistryCIDRs}}"],
    ["info", "--format", "{{range .DriverStatus}}{{index . 0}}={{index . 1}};{{end}}"],
    ["info", "--format", "{{.Bad}}"],
    ["info", "--format", "x{{.Bad}}"],
    ["info", "--format", "{{"],
]
