# A container is tended: renamed, updated, paused, restarted, its health watched, its address and ports asked for, its network changed.
set -u
trap 'docker rm -f hb-script-t1 hb-script-t2 hb-script-t3 >/dev/null 2>&1; docker network rm hb-script-net >/dev/null 2>&1' EXIT
id=$(docker run -d --name hb-script-t1 busybox sleep 1000)
docker inspect -f '{{range .NetworkSettings.Networks}}{{.IPAddress}}{{end}}' hb-script-t1 | grep -cE '^[0-9]+\.[0-9]+\.[0-9]+\.[0-9]+$'
docker inspect -f '{{.State.Running}} {{.State.ExitCode}} {{.RestartCount}} {{index .Config.Labels "none"}}|{{.Config.Image}}|{{join .Config.Cmd ","}}|{{len .Mounts}}' hb-script-t1
[ "$(docker inspect -f '{{.Id}}' hb-script-t1)" = "$id" ] && echo same
docker inspect -f '{{(index (index .NetworkSettings.Ports "80/tcp") 0).HostPort}}' hb-script-t1; echo "code $?"
docker inspect -f '{{range .Mounts}}{{.Source}}{{end}}' hb-script-t1 hb-script-none; echo "code $?"
docker rename hb-script-t1 hb-script-t2; docker rename hb-script-t1 x; echo "code $?"; docker rename hb-script-t2 hb-script-t2; echo "code $?"; docker rename hb-script-t2 'bad name'; echo "code $?"
docker update --cpus 0.5 -m 64m --memory-swap 64m hb-script-t2; docker inspect -f '{{.HostConfig.NanoCpus}} {{.HostConfig.Memory}} {{.HostConfig.MemorySwap}}' hb-script-t2
docker update --restart unless-stopped hb-script-t2; docker inspect -f '{{.HostConfig.RestartPolicy.Name}}' hb-script-t2
docker update -m 1k hb-script-t2; echo "code $?"; docker update hb-script-none --cpus 1; echo "code $?"
docker pause hb-script-t2; docker ps --filter name=hb-script-t2 --format '{{.Status}}' | sed 's/.*(/(/'
docker exec hb-script-t2 true; echo "code $?"; docker pause hb-script-t2; echo "code $?"
docker unpause hb-script-t2; docker unpause hb-script-t2; echo "code $?"; docker rm hb-script-t2; echo "code $?"
docker restart -t 0 hb-script-t2; docker inspect -f '{{.State.Status}}' hb-script-t2
docker top hb-script-t2 | awk '{print $1, $NF}'; docker port hb-script-t2 99; echo "code $?"
docker network create hb-script-net >/dev/null; docker network connect --alias other hb-script-net hb-script-t2
docker run --rm --network hb-script-net busybox sh -c 'ping -c1 -W2 hb-script-t2 >/dev/null && echo ok; ping -c1 -W2 other >/dev/null && echo alias'
docker network inspect hb-script-net -f '{{range .Containers}}{{.Name}} {{end}}{{.Driver}} {{.Scope}}'
docker network create hb-script-net; echo "code $?"; docker network disconnect hb-script-net hb-script-t2; docker inspect -f '{{len .NetworkSettings.Networks}}' hb-script-t2
docker network rm hb-script-net; docker network inspect hb-script-net; echo "code $?"
docker rm -f hb-script-t2; docker top hb-script-t2; echo "code $?"
docker run -d --name hb-script-t3 --health-cmd 'test -e /ok' --health-interval 200ms --health-retries 2 busybox sleep 100 >/dev/null
for i in $(seq 100); do s=$(docker inspect -f '{{.State.Health.Status}}' hb-script-t3); [ "$s" = unhealthy ] && break; sleep 0.1; done; echo "$s"
docker ps --filter health=unhealthy --filter name=hb-script-t3 --format '{{.Names}}'; docker exec hb-script-t3 touch /ok
for i in $(seq 100); do s=$(docker inspect -f '{{.State.Health.Status}}' hb-script-t3); [ "$s" = healthy ] && break; sleep 0.1; done; echo "$s"
docker inspect -f '{{if .State.Health}}{{.State.Health.FailingStreak}}{{end}}' hb-script-t3
docker stats --no-stream --format '{{.Name}}' hb-script-t3; docker stats --no-stream hb-script-none; echo "code $?"
cleanup() { docker rm -f hb-script-t1 >/dev/null 2>&1; echo cleaned; }
(trap cleanup EXIT; docker run -d --name hb-script-t1 busybox sleep 1000 >/dev/null; exit 3); echo "code $?"; docker ps -aq --filter name=hb-script-t1
