# What a test script does: trap, wait for health, look at logs, remove by label.
set -euo pipefail
label=hb-script=cleanup
cleanup() { docker ps -aq --filter "label=$label" | xargs -r docker rm -f >/dev/null; echo cleaned; }
trap cleanup EXIT
docker ps -aq --filter "label=$label" | xargs -r docker rm -f
id=$(docker run -d --label "$label" --name hb-script-web --health-cmd 'test -e /ready' --health-interval 200ms --health-start-period 5s busybox \
  sh -c 'echo starting; sleep 0.5; touch /ready; echo "listening on 80"; exec sleep 300')
[ "${#id}" = 64 ] && echo "id of 64"
for _ in $(seq 100); do
  [ "$(docker inspect -f '{{.State.Health.Status}}' hb-script-web)" = healthy ] && break
  sleep 0.1
done
docker inspect -f '{{.State.Health.Status}}' hb-script-web
docker logs hb-script-web 2>&1 | grep -m1 listening
until docker exec hb-script-web test -e /ready; do sleep 0.1; done
docker ps --filter "label=$label" --format '{{.Names}}: {{.State}}'
[ "$(docker ps -q -f name=hb-script-web)" = "${id:0:12}" ] && echo "short id fits"
if docker inspect hb-script-none >/dev/null 2>&1; then echo there; else echo "not there"; fi
