# Created, filled by cp and started: the program comes by cp; wait for one and for several; commit what became of it.
set -u
work=$(mktemp -d)
trap 'docker rm -f hb-script-e hb-script-w1 hb-script-w2 hb-script-d >/dev/null 2>&1; docker rmi -f hb-script-e:i >/dev/null 2>&1; rm -rf "$work"' EXIT
printf '#!/bin/sh\necho from script "$@"\nexit 9\n' >"$work/entry.sh"; chmod +x "$work/entry.sh"
c=$(docker create --name hb-script-e --entrypoint /entry.sh busybox a 'b c'); docker cp -q "$work/entry.sh" "$c:/entry.sh"
docker start -a "$c"; echo "code $?"
docker inspect -f '{{.State.ExitCode}} {{.State.Status}} {{.Path}} {{json .Args}}' "$c"
docker start -a hb-script-e; echo "code $?"; docker logs hb-script-e
docker commit -a me -m 'a message' -c 'CMD ["x"]' -c 'ENV A=b' hb-script-e hb-script-e:i | grep -c '^sha256:'
docker run --rm hb-script-e:i; echo "code $?"; docker run --rm hb-script-e:i own; echo "code $?"
docker inspect -f '{{.Author}} {{.Comment}} {{.Config.Cmd}} {{.Config.Entrypoint}} {{.Config.Env}}' hb-script-e:i | sed 's/PATH=[^ ]* //'
docker commit hb-script-e BAD:i; echo "code $?"
docker rmi -f hb-script-e:i | grep -c Untagged
docker rm "$c" >/dev/null; docker start "$c" 2>&1 | sed -E 's/[0-9a-f]{64}/ID/'; echo "code ${PIPESTATUS[0]}"
docker run -d --name hb-script-w1 busybox sh -c 'sleep 0.5; exit 3' >/dev/null
docker run -d --name hb-script-w2 busybox sh -c 'sleep 0.2; exit 4' >/dev/null
docker wait hb-script-w1 hb-script-w2; echo "code $?"
docker wait hb-script-w1; docker wait hb-script-none; echo "code $?"
status=$(docker wait hb-script-w2); [ "$status" -eq 4 ] && echo four
docker rm hb-script-w1 hb-script-w2
docker run --name hb-script-d busybox sh -c 'echo x >/new; rm /bin/ls; mkdir -p /a/b; touch /a/b/c; echo more >>/etc/passwd; chmod 700 /root'
docker diff hb-script-d | sort; docker rm hb-script-d; docker diff hb-script-d; echo "code $?"
