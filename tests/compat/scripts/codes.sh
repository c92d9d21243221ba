# Exit codes, wait, timeouts, cidfile, and errors that scripts test for.
docker run --rm busybox sh -c 'exit 42'; echo "code $?"
docker run --rm busybox nosuch 2>/dev/null; echo "code $?"
docker run --rm busybox /etc 2>/dev/null; echo "code $?"
docker run --rm --nosuch busybox 2>/dev/null; echo "code $?"
docker run --rm busybox sh -c 'kill -TERM $$'; echo "code $?"
work=$(mktemp -d); trap 'docker rm -f hb-script-a hb-script-b >/dev/null 2>&1; rm -rf "$work"' EXIT
# behaviour 18, 25
docker run -d --cidfile "$work/cid" --name hb-script-a busybox sh -c 'trap "exit 9" TERM; while :; do sleep 0.05; done' >/dev/null
[ "$(cat "$work/cid")" = "$(docker inspect -f '{{.Id}}' hb-script-a)" ] && echo "cidfile fits"
docker run --cidfile "$work/cid" busybox true 2>/dev/null; echo "code $?"
docker stop "$(cat "$work/cid")" >/dev/null; docker wait hb-script-a; docker inspect -f '{{.State.ExitCode}}' hb-script-a
docker start hb-script-a; docker kill hb-script-a; docker wait hb-script-a
text=$(timeout -s TERM 1 docker run --rm --name hb-script-b busybox sh -c 'trap "echo caught; exit 5" TERM; while :; do sleep 0.05; done'); echo "code $? $text"
for _ in $(seq 50); do [ -z "$(docker ps -aq -f name=hb-script-b)" ] && break; sleep 0.1; done
docker ps -aq -f name=hb-script-b | wc -l
docker run --rm --name hb-script-a busybox true 2>&1 | grep -o 'is already in use' ; echo "code ${PIPESTATUS[0]}"
docker rm hb-script-a hb-script-none; echo "code $?"
docker rm -f hb-script-none; echo "code $?"
docker rm -f $(docker ps -aq -f name=hb-script-none) 2>&1 | head -n 1; echo "code ${PIPESTATUS[0]}"
docker start hb-script-none 2>/dev/null; echo "code $?"
docker exec hb-script-none true 2>/dev/null; echo "code $?"
# behaviour 15
docker info >/dev/null 2>&1; echo "code $?"
docker version --format '{{.Server.Version}}' | grep -cE '^[0-9]+\.[0-9]+\.[0-9]+'
docker image inspect hb-script-none >/dev/null 2>&1 || echo "must be built"
# behaviour 51
docker volume inspect hb-script-none >/dev/null 2>&1 || docker volume create hb-script-none
docker volume rm hb-script-none
docker network inspect hb-script-none >/dev/null 2>&1 || docker network create hb-script-none | wc -c
docker network ls -q -f name=hb-script-none | wc -l
docker network rm hb-script-none
