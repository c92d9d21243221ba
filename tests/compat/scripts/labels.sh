# Labels and filters, chains of xargs and `while read`, prunes by label, and names that are there already.
set -u
work=$(mktemp -d); trap 'docker ps -aq --filter label=hb-script=labels | xargs -r docker rm -f >/dev/null; rm -rf "$work"' EXIT
docker run -d --name hb-script-l1 --label hb-script=labels --label app=web --label "env=a b" --label hb-empty busybox sleep 100 >/dev/null
printf 'from=file\nx=y z\n#no\n' >"$work/labels"; docker create --name hb-script-l2 --label hb-script=labels --label-file "$work/labels" --label app=db busybox true >/dev/null
docker ps -a --filter label=app --filter name=hb-script-l --format '{{.Names}} {{.Label "app"}} {{.Label "env"}}' | sort
docker ps -a --filter label=app=db --filter name=hb-script-l --format '{{.Labels}}' | tr ',' '\n' | sort
docker ps -a --filter label=hb-empty --format '{{.Names}}'; docker ps --filter name=^/hb-script-l1$ --format '{{.Names}}'; docker ps --filter 'name=hb-script-l(1|2)' --format '{{.Names}}'
docker ps -a --filter status=created --filter name=hb-script-l --format '{{.Names}}: {{.Status}} {{.State}}'
docker ps -a --filter label=hb-script=labels --filter ancestor=busybox --format '{{.Names}} {{.Image}} {{.Command}} {{.Networks}} {{.LocalVolumes}}' | sort
docker ps -a --filter status=nonsense; echo "code $?"
docker ps -a --filter nonsense=1; echo "code $?"; docker ps --filter bad; echo "code $?"
docker ps --format '{{.Nope}}'; echo "code $?"; docker ps --format '{{.ID'; echo "code $?"
docker inspect -f '{{range $k,$v := .Config.Labels}}{{$k}}={{$v}};{{end}}' hb-script-l1 hb-script-l2
if docker ps -a --format '{{.Names}}' | grep -Eq '^hb-script-l3$'; then echo yes; else echo no; fi
docker container inspect hb-script-l3 >/dev/null 2>&1 || docker create --name hb-script-l3 --label hb-script=labels busybox true >/dev/null
docker container inspect -f '{{.State.Status}} {{.State.Pid}}' hb-script-l3; docker start hb-script-l3 hb-script-l9; echo "code $?"; docker wait hb-script-l3
[ "$(docker inspect -f '{{.State.Running}}' hb-script-l9 2>/dev/null)" = true ] || echo "not running"
docker ps -a --filter label=hb-script=labels --format '{{.ID}}\t{{.Names}}' | sort -k2 | while IFS=$'\t' read -r id name; do echo "${#id} $name"; done
docker ps -a --filter label=hb-script=labels --format 'table {{.Names}}\t{{.Image}}\t{{.Command}}' | sort
docker ps -a --filter label=hb-script=labels --format json | python3 -c 'import json, sys; print(sorted(json.loads(line)["Names"] for line in sys.stdin))'
docker container prune -f --filter label=hb-script=labels --filter label!=from | sed -E 's/[0-9a-f]{64}/ID/'
docker rm $(docker ps -aq -f status=exited -f label=hb-script=labels) 2>/dev/null || echo "nothing $?"
for n in 4 5 6; do docker run -d --name hb-script-l$n --label hb-script=labels busybox sleep 1000 >/dev/null; done
docker ps -q --filter label=hb-script=labels | wc -l
docker ps -q --filter label=hb-script=labels | xargs -r docker stop -t 0 | wc -l
docker ps -aq --filter label=hb-script=labels | xargs -r -n 2 docker rm -f | wc -l
docker ps -aq --filter label=hb-script=labels | xargs -r docker rm -f; echo "code $?"
docker image prune -f --filter until=nonsense; echo "code $?"; docker image prune -f --filter bad=1; echo "code $?"
docker network prune -f --filter label=hb-script-none; docker volume prune -f --filter label=hb-script-none; docker container prune -f --filter until=bogus; echo "code $?"
echo n | docker volume prune --filter label=hb-script-none; echo "code $?"
