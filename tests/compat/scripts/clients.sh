# What becomes of a client: standard streams closed or on a full disk, signals to what a script has begun with `&`, and a stop or restart whose
# client is killed, the owner of a device, words of what can't be executed.
set -u
work=$(mktemp -d); cd "$work"
trap 'docker rm -f hb-script-c1 hb-script-c2 hb-script-c3 >/dev/null 2>&1; cd /; rm -rf "$work"' EXIT
deaf='trap "echo told" TERM; echo ready; while :; do sleep 0.05; done'
for name in 1 2; do docker run -d --name hb-script-c$name --stop-timeout 3 busybox sh -c "$deaf" >/dev/null; done
docker run --rm -i busybox cat <&-; echo "code $?"
docker exec -i hb-script-c1 cat <&-; echo "code $?"
docker run --rm busybox echo lost >&-; echo "code $?"
for words in 'ps' 'inspect hb-script-c1' 'logs hb-script-c1' 'exec hb-script-c1 echo lost' 'export hb-script-c1' 'version' 'compose version'; do
  docker $words >&-; echo "code $? $words"
done
for words in 'ps' 'images' 'exec hb-script-c1 echo lost' 'logs hb-script-c1' 'save busybox' 'export hb-script-c1' 'cp hb-script-c1:/etc/passwd -' 'volume ls' 'run --rm busybox echo lost'; do
  docker $words >/dev/full; echo "code $? $words"
done
docker rename hb-script-c1 hb-script-c3
state() { docker inspect -f '{{.State.Running}}' "$1"; }
logged() { until docker logs "$1" | grep -q "$2"; do sleep 0.05; done; }
logged hb-script-c3 ready; logged hb-script-c2 ready; started=$(docker inspect -f '{{.State.StartedAt}}' hb-script-c2)
docker stop hb-script-c3 & stop=$!; docker restart hb-script-c2 & restart=$!
logged hb-script-c3 told; logged hb-script-c2 told; sleep 1; kill -TERM $stop
{ kill -KILL $restart; wait $restart; code=$?; } 2>/dev/null # the shell's own words
wait $stop; echo "codes $? $code"
docker wait hb-script-c3; docker inspect -f '{{.State.ExitCode}}' hb-script-c3
for _ in $(seq 100); do [ "$(docker inspect -f '{{.State.StartedAt}}' hb-script-c2)" != "$started" ] && break; sleep 0.05; done
for _ in $(seq 100); do [ "$(state hb-script-c2)" = true ] && break; sleep 0.05; done; state hb-script-c2
for words in 'logs -f hb-script-c2' 'events --filter container=hb-script-none' 'wait hb-script-c2'; do
  docker $words >/dev/null & client=$!; sleep 0.4; while kill -INT $client 2>/dev/null; do sleep 0.2; done; wait $client; echo "code $? $words"
done
docker run --rm --name hb-script-c1 busybox sh -c 'trap "echo resized; exit 7" WINCH; echo ready; while :; do sleep 0.05; done' >out & client=$!
until grep -q ready out; do sleep 0.05; done; kill -WINCH $client; wait $client; echo "code $?"; cat out
mknod device c 1 3; chown 12:34 device; chmod 640 device
docker run --rm --device "$work/device:/dev/mine" busybox stat -c '%a %u:%g' /dev/mine
docker run --rm --entrypoint '["ls", "-d"]' busybox / 2>&1 | grep -o 'exec: .*'
