# A Makefile around docker: names, variables, codes, lists, and a target that runs when a container is not there.
set -u
work=$(mktemp -d); cd "$work"; trap 'docker rm -f hb-script-mk >/dev/null 2>&1; cd /; rm -rf "$work"' EXIT
cat >Makefile <<'MAKE'
IMAGE ?= busybox
RUN = docker run --rm -i -v $(CURDIR):/w -w /w -u $(shell id -u) $(IMAGE)
out.txt: in.txt ; @$(RUN) tr a-z A-Z <$< >$@
pid: ; @docker run --rm -e V=$$$$ $(IMAGE) sh -c 'test "$$V" -gt 1 && echo made'
fail: ; @docker run --rm $(IMAGE) sh -c "exit 3"
ignored: ; -@docker rm hb-script-none; echo went on
up: ; @docker inspect hb-script-mk >/dev/null 2>&1 || docker run -d --name hb-script-mk --label hb-script=mk $(IMAGE) sleep 100 >/dev/null
list: ; @docker ps -a --filter label=hb-script=mk --format "{{.Names}} {{.State}}"
if: ; @if [ -z "$$(docker ps -q --filter label=hb-script=mk)" ]; then echo none; else echo some; fi
down: ; @docker ps -aq --filter label=hb-script=mk | xargs -r docker rm -f | wc -l
MAKE
echo text >in.txt; make -s out.txt; cat out.txt; make out.txt
make -s pid; make -s fail; echo "code $?"
make -s ignored; echo "code $?"
make -s if; make -s up; make -s up; make -s list if down if
make -s IMAGE=hb-script-none:1 -n pid
