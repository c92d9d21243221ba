# Events with filters over a time that has passed, logs since and until, logs into grep that goes away, attach and its codes.
set -u
trap 'docker rm -f hb-script-ev hb-script-l hb-script-g hb-script-at >/dev/null 2>&1' EXIT
begin=$(date +%s); docker run --rm --name hb-script-ev busybox true; sleep 1.2; end=$(date +%s)
seen() { docker events --since "$begin" --until "$end" "$@"; }
seen --filter type=container --filter container=hb-script-ev --format '{{.Type}} {{.Action}} {{.Actor.Attributes.name}}'
seen --filter container=hb-script-ev --filter event=die --format '{{.Actor.Attributes.exitCode}}'
seen --filter container=hb-script-ev --filter event=start | sed -E 's/^[^ ]+ //; s/[0-9a-f]{64}/ID/'
seen --filter container=hb-script-ev --filter event=start --filter event=destroy --filter type=container --format '{{.Action}}'
seen --filter container=hb-script-ev --filter event=die --format '{{json .}}' | python3 -c 'import json, sys; print(*sorted(json.load(sys.stdin)))'
seen --filter label=hb-script-none; echo "code $?"
timeout 1 docker events --filter container=hb-script-ev; echo "code $?"
docker events --since nonsense; echo "code $?"
docker run --name hb-script-l busybox sh -c 'for i in 1 2 3 4; do echo line $i; done; sleep 1.5; echo late; echo err >&2' 2>/dev/null
middle=$(docker inspect -f '{{.State.StartedAt}}' hb-script-l | python3 -c 'import sys, datetime as d; t = d.datetime.fromisoformat(sys.stdin.read()[:19] + "+00:00"); print((t + d.timedelta(seconds=1.3)).isoformat())')
docker logs --since "$middle" hb-script-l 2>/dev/null | tail -n 1
docker logs --until "$middle" hb-script-l 2>/dev/null | head -n 1
docker logs --since 1h --tail 2 hb-script-l 2>/dev/null
docker logs -n 0 hb-script-l; docker logs -n all hb-script-l 2>/dev/null | wc -l; docker logs -n -3 hb-script-l 2>/dev/null | wc -l
docker logs --since 2100-01-01 hb-script-l; docker logs --until 1h hb-script-l
docker logs --since nonsense hb-script-l; echo "code $?"
docker logs -t -n 1 hb-script-l 2>/dev/null | grep -cE '^[0-9-]{10}T[0-9:.]+Z late$'
docker logs hb-script-none; echo "code $?"
docker run -d --name hb-script-g busybox sh -c 'i=0; while :; do echo tick $i; i=$((i+1)); [ $i = 5 ] && echo ready; sleep 0.05; done' >/dev/null
docker logs -f hb-script-g 2>/dev/null | grep -m1 ready
(set -o pipefail; docker logs -f hb-script-g 2>/dev/null | head -n 1)
until docker logs hb-script-g 2>&1 | grep -q ready; do sleep 0.1; done; echo up
docker create -i --name hb-script-at busybox cat >/dev/null; echo through | docker start -ai hb-script-at; echo "code $?"
docker attach hb-script-at; echo "code $?"; docker rm hb-script-at; docker attach hb-script-at; echo "code $?"
docker run -d -i --name hb-script-at busybox sh -c 'while read l; do echo "<$l>"; [ "$l" = 2 ] && exit 4; done' >/dev/null
printf '1\n2\n' | docker attach hb-script-at >/dev/null; echo "code $?"; docker logs hb-script-at
