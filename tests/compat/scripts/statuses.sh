# Exit codes: 125, 126, 127, those of the program, of signals (137, 143), of a stop, and of `timeout`.
set -u
trap 'docker rm -f hb-script-s1 hb-script-s2 hb-script-s3 >/dev/null 2>&1' EXIT
docker run --rm busybox nosuch 2>/dev/null; echo "code $?"
docker run --rm busybox /etc/passwd 2>/dev/null; echo "code $?"
docker run --rm --nosuchflag busybox; echo "code $?"
docker run; echo "code $?"
docker nosuch; echo "code $?"
docker run --rm busybox sh -c 'sh -c "kill -9 \$\$"'; echo "code $?"
docker run --rm --init busybox sh -c 'kill -TERM $$'; echo "code $?"
docker run --rm --init busybox sh -c 'kill -SEGV $$'; echo "code $?"
docker run --rm -v nocolon:relative busybox true; echo "code $?"
docker run --rm -m 1 busybox true; echo "code $?"
docker run --rm -w relative busybox pwd; echo "code $?"
docker run --rm -e =x busybox true; echo "code $?"
docker run --rm -p 99999:1 busybox true; echo "code $?"
docker run --rm --network hb-script-none busybox true; echo "code $?"
docker run --rm --name 'bad/name' busybox true; echo "code $?"
docker run --rm --env-file /nosuch busybox true; echo "code $?"
docker run --rm --entrypoint '' busybox echo hi; echo "code $?"
docker run --rm --entrypoint nosuch busybox 2>/dev/null; echo "code $?"
docker run -d --name hb-script-s1 busybox sleep 100 >/dev/null; docker stop -t 1 hb-script-s1; docker inspect -f '{{.State.ExitCode}} {{.State.OOMKilled}}' hb-script-s1
docker run -d --init --name hb-script-s2 busybox sleep 100 >/dev/null; docker stop hb-script-s2; docker wait hb-script-s2
docker run -d --name hb-script-s3 --stop-signal USR1 busybox sh -c 'trap "exit 11" USR1; echo ready; while :; do sleep 0.05; done' >/dev/null
until docker logs hb-script-s3 | grep -q ready; do sleep 0.1; done; docker stop hb-script-s3; docker inspect -f '{{.State.ExitCode}}' hb-script-s3
docker kill hb-script-s3 2>&1 | sed -E 's/[0-9a-f]{64}/ID/'; echo "code ${PIPESTATUS[0]}"
docker kill -s NOSUCH hb-script-s3; echo "code $?"
docker ps -a --filter name=hb-script-s --filter exited=137 --format '{{.Names}}'
docker ps -a --filter name=hb-script-s --filter exited=11 --format '{{.Names}}'
docker start hb-script-s3 >/dev/null; docker kill -s USR1 hb-script-s3 >/dev/null; docker wait hb-script-s3 | grep -cE '^(11|138)$'
timeout -s TERM 1 docker run --rm --init busybox sleep 100; echo "code $?"
timeout 1 docker logs -f hb-script-s3 >/dev/null; echo "code $?"
for i in 1 2 3; do docker run --rm busybox sh -c "exit $i" & pids+=($!); done; for p in "${pids[@]}"; do wait "$p"; echo "code $?"; done
