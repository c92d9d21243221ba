# Settings of the user's, versions, terminals, and what inspect prints.
set -u
work=$(mktemp -d); trap 'docker rm -f hb-script-c >/dev/null 2>&1; rm -rf "$work"' EXIT
export DOCKER_CONFIG="$work"
# behaviour 17
docker --version | grep -cE '^Docker version [0-9]+\.[0-9]+\.[0-9]+.*, build [0-9a-z]+$'
docker -v | grep -c '^Docker version '
docker buildx version | grep -cE '[0-9]+\.[0-9]+\.[0-9]+'
# behaviour 31
printf '{"proxies": {"default": {"httpProxy": "http://p:1", "noProxy": "a,b"}}}' >"$work/config.json"
docker run --rm -e http_proxy=mine busybox sh -c 'env | grep -i proxy | sort'
docker run --rm --net none busybox sh -c 'ls /sys/class/net; env | grep -ic proxy'
# behaviour 56
printf '{"psFormat": "table {{.Names}}|{{.Image}}", "imagesFormat": "{{.Repository}}", "networksFormat": "n {{.Name}}", "volumesFormat": "v {{.Name}}"}' >"$work/config.json"
docker create --name hb-script-c busybox true >/dev/null
docker ps -a --filter name=hb-script-c
docker ps -a --filter name=hb-script-c --format '{{.Names}}'
docker images busybox
docker images -q --no-trunc busybox | grep -c '^sha256:'
docker network ls --filter name=^none$
docker volume ls --filter name=hb-script-none
rm "$work/config.json"
docker -c hb-script-none ps 2>&1 | grep -o 'hb-script-none' | head -n 1
docker --context hb-script-none ps 2>/dev/null; echo "code $?"
# behaviour 58
docker inspect -f json hb-script-c | head -c 7; echo
docker inspect hb-script-c | head -n 3 | sed 's/"Id": .*/ID/'
docker inspect -f '{{.Name}}' hb-script-c busybox 2>&1 | head -n 1
# behaviour 60
docker inspect -f '{{.State.Health.Status}}' hb-script-c; echo "code $?"
docker inspect -f '{{with .State.Health}}{{.Status}}{{else}}none{{end}}' hb-script-c
# behaviour 65
script -qec 'docker save busybox; echo code $?' /dev/null </dev/null | tr -d '\r'
script -qec 'docker export hb-script-c; echo code $?' /dev/null </dev/null | tr -d '\r'
script -qec 'docker load; echo code $?' /dev/null </dev/null | tr -d '\r'
# behaviour 30
docker run --rm --device vendor.example/class=x busybox true; echo "code $?"
# behaviour 66
docker pull -q hb-script-none:1/x 2>/dev/null; echo "code $?"
