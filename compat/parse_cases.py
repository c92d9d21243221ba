"""The command lines whose parsing is compared with the real docker: `compat/record_parse.py` records them, a unit test replays them.

Every line must be harmless against a dead engine. Besides these, `all_cases` has a few for each command of the tables.
"""

from __future__ import annotations

import shlex

from compat.source import PROGRAMS, Json, number, read, records, text, words

LINES = r"""
ps --x
--x
-x
container --x
container --x ls
container -x=3 ls
container --help ls
container ls --help=false
container -- ls
-- ps -a
ps --all=false -a=true -qa=0
ps -aq --no-trunc -n 3 -n=4 -n5 --last=6 --last 7
ps -n
ps -n x
ps -n=
ps -n 0x10
ps -n 010
ps -n 1_000
ps -n 99999999999999999999
ps -n -1
ps --last=
ps --format
ps --format= -a
ps -f bogus
ps -f ""
ps -f a=b --filter c=d
ps --fil a=b
ps x
ps -v
ps -H x
ps -h x
ps -ah
ps -xa
ps -ax
ps --help x
ps --help=maybe
ps -h=maybe
ps --no-trunc=maybe
ps --no-trunc=T --no-trunc=f
ps --=x
ps ---x
ps --=
ps -
ps -=
ps -a=
ps -- -x
ps --all true
images a b
images -q a
image
image nosuch
image rmm
image rm
image rm -f
image remove
image remove --x a
rmi
container ps --x
container list --x
container rm
container remove --x
container stop --time 3
stop --time 3
stop --time=x a
stop -t x a
stop -t -1 a
stop -h
restart --time 3
nosuch
nosuch --x
""
-
run
run -it
run -itZ a
run -d=maybe a
run -d= a
run -dit=false a
run --rm false
run --rm=false a
run --det a
run -de A=1 a
run -deA=1 a
run -e
run -e= a
run -e =x a
run --env=A --env B=2 a -e x --zzz
run -p8080:80 -v/a:/b a
run -d -- a -- --
run a --flag -x
run --x a
run a --x
run -m 10xx a
run -m
run -m x a
run -m "" a
run -m 1.5g a
run -m "10 mb" a
run -m 10MiB a
run -m -1 a
run -m 1kbb a
run --memory-swap -1 a
run --memory-swap x a
run --memory-reservation 5q a
run --kernel-memory 1x a
run --shm-size x a
run --cpus x a
run --cpus 1.5 a
run --cpus 1/3 a
run --cpus 0.0000000001 a
run --cpus -1 a
run --cpus "" a
run --cpu-period x a
run --cpu-shares 1.5 a
run -c x a
run --blkio-weight 70000 a
run --blkio-weight -1 a
run --blkio-weight x a
run --health-interval x a
run --health-interval 5 a
run --health-interval 5x a
run --health-interval 1h2m3.5s a
run --health-interval "" a
run --health-timeout -3s a
run --health-retries x a
run --oom-score-adj x a
run --pids-limit x a
run --stop-timeout x a
run --hostname
run -h
run -h x --help
run --help
run --help=x
run --dns x a
run --dns 8.8.8.8 --dns ::1 a
run --dns-opt x --net host --net-alias y a
run --dns-search "a b" a
run --dns-search . a
run --dns-search -x a
run --add-host x a
run --add-host x:y a
run --add-host x=1.2.3.4 a
run --add-host x:host-gateway a
run --add-host :1.2.3.4 a
run -a x a
run -a stdin -a STDOUT a
run --annotation x a
run --annotation a=b a
run --sysctl x a
run --sysctl a=b a
run --sysctl net.ipv4.ip_forward=1 a
run --sysctl kernel.msgmax=1 a
run --ulimit x a
run --ulimit nofile=x a
run --ulimit nofile=1:2:3 a
run --ulimit bogus=1 a
run --ulimit nofile=20:10 a
run --ulimit nofile=10:20 a
run --ulimit nofile=-1 a
run --label = a
run --label "" a
run --label a --label b=c a
run --link x a
run --link a:b:c a
run --link a:b a
run --link-local-ip x a
run --ip x a
run --mount x a
run --mount type=bind a
run --mount type=bogus,target=/x a
run --mount type=bind,src=/x a
run --mount type=bind,dst=/x a
run --mount type=bind,src=/x,dst=/y,bogus=1 a
run --mount type=volume,dst=/y,readonly=maybe a
run --mount type=volume,dst=/y,readonly a
run --mount type=tmpfs,dst=/y,tmpfs-size=x a
run --mount type=tmpfs,dst=/y,tmpfs-mode=x a
run --mount type=tmpfs,dst=/y,src=/z a
run --mount type=volume,dst=/y,volume-nocopy=x a
run --mount type=volume,dst=/y,volume-opt=x a
run --mount type=bind,src=/x,dst=/y,bind-propagation=x a
run --mount type=volume,dst=/y,bind-propagation=shared a
run --mount type=bind,src=/x,dst=/y,volume-nocopy=true a
run --mount type=bind,src=/x,dst=/y,consistency=x a
run --mount "" a
run --mount src=/x a
run --mount type=,dst=/y a
run --mount type=bind,volume-nocopy a
run --mount type=image,src=a,dst=/y,bind-recursive=x a
run --mount type=bind,src=/x,dst=/y,bind-recursive=readonly a
run --mount type=bind,src=/x,dst=/y,bind-recursive=writable a
run --mount type=bind,src=/x,dst=/y,tmpfs-size=1m a
run --mount type=bind,src=/x,dst= a
run --mount "type=bind,\"src=/x,y\",dst=/y" a
run --mount "type=bind,sr\"c=/x,dst=/y" a
run --mount type=bind,,dst=/y a
run --mount TYPE=BIND,SRC=/x,DST=/y,RO=1 a
run --mount type=bind,src=/x,dst=/y,ro=,readonly=1 a
run --network a=b a
run --mount type=bind,src=/x,dst=/y,bind-recursive=readonly,ro a
run --mount type=bind,src=/x,dst=/y,bind-recursive=writable,ro a
run --cpu-period "a\"b" a
run --cpu-period "a	b\\é" a
run --health-interval "a\"b" a
run --network alias=b a
run --network name=a,alias a
run --network =b a
run --network a,b a
run -e "" a
run -e "A B=1" a
run --label =x a
run --label " =x" a
run --dns "" a
run --dns " 1.1.1.1" a
run --dns fe80::1%eth0 a
run --dns-search a.b-c.d. a
run --dns-search a_b a
run --dns-search 1.2 a
run --dns-search "" a
run --add-host "" a
run --add-host x:[::1] a
run --add-host x=::1 a
run --add-host x:::1 a
run --ulimit nofile a
run --ulimit nofile= a
run --ulimit nofile=-1:5 a
run --ulimit nofile=5:-1 a
run --link "" a
run --sysctl net.x a
run --device-cgroup-rule "a *:* rwm" a
run --device-cgroup-rule "c 1:3 rwmm" a
run --blkio-weight-device /dev/x:0 a
run --blkio-weight-device x:5 a
run --device-read-bps /dev/x:-1 a
run --device-read-iops /dev/x:-1 a
run --gpus 1,capabilities=x a
run --gpus capabilities a
run --gpus driver=x,bogus=1 a
exec --env "" a b
run --network name=a,alias=b,bogus=c a
run --network name=a,ip=x a
run --network "" a
run --network name=a,alias=b a
run --network name=a,gw-priority=x a
run --network name=a,driver-opt=x a
run --gpus x=y a
run --gpus all a
run --gpus x a
run --gpus "" a
run --gpus count=x a
run --gpus 2,count=3 a
run --gpus all,driver=x,driver=y a
run --device /dev/x:y:z:w a
run --device-cgroup-rule x a
run --device-cgroup-rule "c 1:3 rwm" a
run --device-read-bps x a
run --device-read-bps /dev/x:y a
run --device-read-bps /dev/x:1mb a
run --device-read-iops /dev/x:1mb a
run --device-write-iops x:1 a
run --blkio-weight-device x a
run --blkio-weight-device /dev/x:5 a
run --blkio-weight-device /dev/x:500 a
run --env-file
run --expose x
run --tmpfs x
run --storage-opt x a
run --log-opt x a
run --volume "" a
run --publish "" a
run --pull bogus
create --memory 10xx a
create -h
create --x
exec -it
exec a
exec -e
exec -e = a b
exec --env-file
exec -w
exec -itdx a b
exec a b --x -y
exec --x a b
exec -u
top
top --x a
top a -ef --x
logs
logs a b
logs -n
logs -fn5 --since
logs --tail
inspect
inspect -f
inspect x -f
inspect --size=x a
cp a
cp a b c
cp
rm -- -f
rm --force=x a
rm -fvx a
tag a
tag a b c
version x
version --format
info x
login a b
login -u
login -p -u
logout a b
search
search a b
search --limit x a
pull
pull a b
pull -a -q a b
push --x
commit
commit a b c
commit -p=x a
commit -c
port
port a b c
rename a
update --cpus x a
update --restart
update --memory 1x a
update --pids-limit x a
wait
kill -s
attach a b
diff
export -o
import
history
load x
load -i
save -o
stats --x
events --since
system df x
system
system nosuch
system prune --filter x
system events x
volume create a b
volume create -o
volume create -o x --x
volume create --label x --x
volume rm
volume ls x
volume inspect
volume
volume prune --filter
network create
network create a b
network create --subnet x a b
network create --aux-address x a b
network create --gateway x a b
network create --opt x a b
network create --ipv6=x a
network connect a
network connect --ip x a
network connect --alias
network connect --driver-opt x a
network disconnect a
network rm
network ls x
context create
context create a b
context create --docker x a b
context use
context use a b
context use --x
context inspect --x
context export
manifest inspect
manifest inspect a b c
builder
help nosuch
help run x
help ps -a
help -x
help help
help container
help container nosuch
completion bash x
completion bash --x
completion --x
completion nosuch
completion
completion zsh --help
--tls=maybe ps
--log-level
-H
-c
-l
--config
-Dx
-vx
-v ps --x
--help ps -x
-l bogus ps --x
-l bogus
-l WARNING ps --x
-l "" ps --x
-c default ps --x
compose --x
compose -x
compose up --x
compose up -xd
compose foo --x
compose -f
compose --file
compose up --timeout abc
compose up -t
compose ps a b --format
compose --dry-run=maybe up
compose up --dry-run=maybe
compose up --scale
compose up --no-color=x
compose up -dV --x
compose up -dt x
compose bridge --x
compose bridge convert --x
compose cp a
compose cp
compose cp a b c
compose exec
compose exec a
compose exec -e
compose exec --index x a b
compose exec -T --x a b
compose run
compose run -e
compose run --x a
compose run -v
compose run -p
compose port
compose port a
compose port --index x a 80
compose ls x
compose ls --filter x
compose ls --filter
compose version x
compose version -f
compose stats a b
compose commit
compose commit a b c
compose exec --no-TTY=x a b
compose exec --tty=x a b
compose exec -i=x a b
compose build --compress=x
compose run --labels=x
compose run --volumes=x
compose run -t=x a
compose run --no-tty a
compose rm -a=x
compose pull --parallel=x
volume create --name=x y z
update --kernel-memory=x a
compose export
compose attach
compose publish
compose publish a b
compose wait
compose scale
compose build -m x
compose build --build-arg
compose build --memory 10xx
compose logs -n
compose logs --tail
compose logs --index x
compose kill -s
compose rm -x
compose rm -fsvx
compose down --rmi
compose down -t x
compose down --timeout=
compose config --format
compose config --hash
compose pull --policy
compose --parallel x ls
compose -p
compose --profile
compose --ansi
compose --progress
compose --env-file
compose -D ls
compose --debug ls
compose -H x ls
compose up -- --x
compose logs --no-log-prefix=x
compose watch --x
compose top --x
compose images --x
compose events --x
compose create --x
compose pause --x
compose push --x
compose restart --x
compose start --x
compose stop --x
compose unpause --x
compose volumes --x
"""


def all_cases() -> list[list[str]]:
    """Return every case's words after "docker"."""
    cases = [shlex.split(line) for line in LINES.strip().splitlines()]
    for program in PROGRAMS:
        for command in records(read(program)["commands"]):
            if text(command, "path").partition(" ")[0] not in ("builder", "bridge", "checkpoint") and not (
                text(command, "path").endswith("build") and program == "docker"
            ):
                cases.extend(_cases_of(program, command))
    unique: list[list[str]] = []
    for case in cases:
        if case not in unique:
            unique.append(case)
    return unique


def _cases_of(program: str, command: Json) -> list[list[str]]:
    """An unknown flag and a wrong number of words for each place of a command."""
    found = []
    rule = command["arguments"]
    assert isinstance(rule, dict)
    least, most = number(rule, "min", 0), number(rule, "max", -1)
    for place in words(command["places"]):
        start = (["compose"] if program == "compose" else []) + place.split()
        found.append([*start, "--nosuchflag"])
        if least > 0:
            found.append([*start, *["a"] * (least - 1)])
        if most >= 0:
            found.append([*start, *["a"] * (most + 1)])
    return found
