# What Ansible's connection plugin, LocalStack's client of the command line, pre-commit and cwltool ask for.
folder=$(mktemp -d); cd "$folder"
trap 'docker rm -f hb-mod >/dev/null 2>&1; docker network rm hb-mod-net >/dev/null 2>&1; docker rmi -f hb-mod-hook hb-mod-c:1 >/dev/null 2>&1; rm -rf "$folder"' EXIT
docker --version '' | cut -d ' ' -f 1,2
docker create --name hb-mod -v "$folder:/base" -e 'A=b c' -e E= --label l=1 --init --security-opt no-new-privileges --user 0 --workdir /tmp --add-host x:1.2.3.4 --memory 64m busybox \
  sh -c 'echo started; exec sleep 1000' | wc -c
docker ps -a --no-trunc --filter name=hb-mod --format '{{json .}}' | grep -o '"State":"[a-z]*"'
docker container inspect --format '{{json .State.Status}}' hb-mod
docker start hb-mod
docker exec -i hb-mod /bin/sh -c "/bin/sh -c '( umask 77 && mkdir -p \"\` echo /root/.a/tmp \`\"&& mkdir \"\` echo /root/.a/tmp/t1 \`\" && echo t1=\"\` echo /root/.a/tmp/t1 \`\" ) && sleep 0'"
echo content | docker exec -i hb-mod /bin/sh -c 'dd of=/root/.a/tmp/t1/file bs=65536' 2>/dev/null
docker exec -i hb-mod /bin/sh -c "/bin/sh -c 'chmod u+rwx /root/.a/tmp/t1/ /root/.a/tmp/t1/file && sleep 0'" && docker exec hb-mod stat -c '%a %s' /root/.a/tmp/t1/file
docker cp hb-mod:/root/.a/tmp/t1/file "$folder" && cat file
docker exec --env X=1 --workdir /var -u nobody -i hb-mod sh -c 'id -un; pwd; echo $X; echo err >&2; exit 5'; echo "$?"
docker inspect --format '{{range .Mounts}}{{.Type}} {{.Destination}} {{.Mode}};{{end}}{{range $k, $v := .NetworkSettings.Networks}}{{$k}}{{end}}' hb-mod
docker network create hb-mod-net | wc -c
docker network connect --alias al hb-mod-net hb-mod
docker inspect --format '{{range $k, $v := .NetworkSettings.Networks}}{{$k}} {{end}}' hb-mod
docker network inspect --format '{{range .Containers}}{{.Name}}{{end}}' hb-mod-net
docker network rm hb-mod-net
docker network disconnect hb-mod-net hb-mod
docker commit hb-mod hb-mod-c:1 | cut -c 1-7
docker tag hb-mod-nope hb-mod-d
docker rmi hb-mod-nope
docker stats --no-stream --format '{{json .}}' hb-mod | grep -oE '"[A-Za-z]+":' | sort | tr -d '\n'; echo
docker pause hb-mod; docker ps -a --filter name=hb-mod --format '{{.State}}'; docker unpause hb-mod
docker logs hb-mod
docker logs hb-mod-nope
docker stop --time 0 hb-mod; docker rm -f -v hb-mod; docker rm hb-mod-nope
printf 'FROM busybox\nRUN printf "#!/bin/sh\\nid -u; pwd; for f; do echo fixed >>\\$f; done; exit 4\\n" >/hook.sh && chmod +x /hook.sh\n' >Dockerfile
docker build --tag hb-mod-hook --label PRE_COMMIT . >log 2>&1 || cat log
echo a >'b c.txt'
docker run --rm -u 1234:1234 -v "$folder:/src:ro,Z" --workdir /src --entrypoint /hook.sh hb-mod-hook 'b c.txt'; echo "$?"
docker run --rm -u 0:0 -v "$folder:/src:rw,Z" --workdir /src --entrypoint /hook.sh hb-mod-hook 'b c.txt'; echo "$?"
cat 'b c.txt'
mkdir work tmp
docker run -i --mount=type=bind,source="$folder/work",target=/work --mount=type=bind,source="$folder/tmp",target=/tmp \
  "--mount=type=bind,source=$folder/b c.txt,target=/in/b c.txt,readonly" --workdir=/work --read-only=true --log-driver=none --user=0:0 --rm \
  --cidfile="$folder/cid" --env=TMPDIR=/tmp --env=HOME=/work '--env=HELLO=wor ld' busybox sh -c 'echo "$HELLO"; cat "/in/b c.txt"; echo out >res; touch /x; ls -d "$HOME"'
echo "$?"; wc -c <cid; cat work/res
