# What the Dev Containers CLI does: looks for its container by labels, builds with contexts of its own, runs, watches for the start
# through `events`, and works through a shell that `exec -i` keeps open.
folder=$(mktemp -d)
trap 'docker rm -f hb-dev >/dev/null 2>&1; docker volume rm hb-dev-cache >/dev/null 2>&1; docker rmi -f hb-dev-built >/dev/null 2>&1; rm -rf "$folder"' EXIT
docker ps -q -a --filter label=hb.folder=/x --filter label=hb.config=/x/devcontainer.json
docker inspect --type image busybox -f '{{.Architecture}}'
mkdir "$folder/content" "$folder/content/feature_0" "$folder/empty"
echo 'echo installed "$GREETING" >/installed' >"$folder/content/feature_0/install.sh"
cat >"$folder/Dockerfile" <<'X'
ARG _BASE=placeholder
FROM scratch AS content_normalize
COPY --from=content_source feature_0 /feature_0
FROM $_BASE AS target_stage
USER root
COPY --from=content_normalize /feature_0 /tmp/feature_0
RUN --mount=type=bind,from=content_source,source=feature_0,target=/tmp/source GREETING=hi sh /tmp/source/install.sh && cmp /tmp/source/install.sh /tmp/feature_0/install.sh
ENV HELLO_ENV=1
LABEL devcontainer.metadata="[{\"id\":\"./hello\",\"x\":\"\$y\"}]"
SHELL ["/bin/sh", "-ec"]
X
docker buildx build --load --build-context content_source="$folder/content" --build-arg BUILDKIT_INLINE_CACHE=1 --build-arg _BASE=busybox \
  --target target_stage -f "$folder/Dockerfile" -t hb-dev-built --label x=y "$folder/empty" >"$folder/log" 2>&1 || cat "$folder/log"
docker image inspect hb-dev-built -f '{{json .Config.Labels}} {{json .Config.Shell}} {{json .Config.Env}}'
timeout 60 docker events --format '{{json .}}' --filter event=start --filter container=hb-dev >"$folder/events" &
events=$!
sleep 1
docker run --sig-proxy=false -a STDOUT -a STDERR --name hb-dev --mount "type=bind,source=$folder,target=/workspaces/x" \
  --mount source=hb-dev-cache,target=/cache,type=volume,consistency=cached -l hb.folder=/x -l hb.config=/x/devcontainer.json -e FOO=bar --cap-add=SYS_PTRACE \
  --init --entrypoint /bin/sh hb-dev-built -c 'echo Container started
trap "exit 0" 15
exec "$@"
while sleep 1 & wait $!; do :; done' - >"$folder/out" 2>"$folder/err" &
for _ in $(seq 100); do grep -q Container "$folder/out" && [[ -s $folder/events ]] && break; sleep 0.1; done
kill $events; wait $events
cat "$folder/out" "$folder/err"
grep -o '"status":"start"' "$folder/events"
docker ps -q -a --filter label=hb.folder=/x --filter label=hb.config=/x/devcontainer.json | wc -l
docker inspect --type container hb-dev -f '{{json .Config.Shell}} {{json .Config.Entrypoint}} {{.State.Status}} {{json .HostConfig.CapAdd}} {{range .Mounts}}{{.Type}}:{{.Destination}} {{end}}'
printf 'echo -n 1-; (id -u); echo -n 2-; (cat /installed)\necho -n 3-; (command -v nothing); echo -n 4-$?\nexit 6\n' | docker exec -i -u root -e SESSION=abc hb-dev /bin/sh
echo " $?"
docker exec -i -u root -e SHLVL=1 -e A= -w /workspaces/x hb-dev /bin/sh -c 'echo created >/tmp/created; pwd; env | grep -c "^A=$"; ls'
docker exec -i -u root hb-dev /bin/sh -lic 'echo -n mark; tr "\0" "\n" </proc/self/environ | grep -E "^(FOO|HELLO)"; echo -n mark' 2>/dev/null
docker rm -f hb-dev
