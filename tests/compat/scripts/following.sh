# Programs that follow: events in the background, logs -f, attach, several waits.
set -u
trap 'docker rm -f hb-script-f >/dev/null 2>&1; kill $events 2>/dev/null; true' EXIT
since=$(date +%s)
docker events --since "$since" --filter container=hb-script-f --filter event=start --filter event=die --format '{{.Action}} {{.Actor.Attributes.name}}' >/tmp/hb-script-events.$$ 2>/dev/null &
events=$!
docker create --name hb-script-f busybox sh -c 'for i in 1 2 3; do echo "line $i"; sleep 0.2; done; echo last >&2; exit 4' >/dev/null
docker start hb-script-f
docker logs -f hb-script-f
docker wait hb-script-f
for _ in $(seq 50); do [ "$(wc -l </tmp/hb-script-events.$$)" -ge 2 ] && break; sleep 0.1; done
cat /tmp/hb-script-events.$$; rm -f /tmp/hb-script-events.$$
docker logs --tail 2 hb-script-f 2>/dev/null
docker logs -t hb-script-f 2>/dev/null | grep -cE '^[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9:.]{18}Z line [123]$'
docker start -a hb-script-f; echo "code $?"
docker logs hb-script-f 2>&1 | wc -l
docker update --restart on-failure:2 hb-script-f >/dev/null
docker start hb-script-f >/dev/null
for _ in $(seq 100); do [ "$(docker inspect -f '{{.State.Status}} {{.RestartCount}}' hb-script-f)" = "exited 2" ] && break; sleep 0.1; done
docker inspect -f '{{.State.Status}} {{.RestartCount}} {{.State.ExitCode}}' hb-script-f
docker ps -a --filter name=hb-script-f --format '{{.Status}}' | sed -E 's/ [0-9]+ .*| Less.*//'
docker container prune -f --filter label=hb-none | tail -n 1
