# Volumes are backed up by tar in a container, restored into another one, shared by --volumes-from, and in use until they are not.
set -u
work=$(mktemp -d)
trap 'docker rm -fv hb-script-user hb-script-from >/dev/null 2>&1; docker volume rm -f hb-script-v1 hb-script-v2 >/dev/null 2>&1; rm -rf "$work"' EXIT
docker volume create --label hb-script=backup hb-script-v1
docker run --rm -v hb-script-v1:/data busybox sh -c 'mkdir -p /data/a/b; echo one >/data/a/one; ln -s a/one /data/link; chmod 600 /data/a/one; chown 33:44 /data/a'
docker run --rm -v hb-script-v1:/data:ro -v "$work":/backup busybox tar czf /backup/vol.tgz -C /data .
tar tzf "$work/vol.tgz" | sort
docker run --rm -v hb-script-v1:/data:ro busybox tar c -C /data . | tar t | sort | md5sum
docker volume create hb-script-v2 >/dev/null
docker run --rm -i -v hb-script-v2:/data busybox tar xzf - -C /data <"$work/vol.tgz"
docker run --rm -v hb-script-v2:/data busybox sh -c 'cd /data; stat -c "%a %u:%g %n" a a/one a/b; readlink link; cat link'
docker run --rm -v hb-script-v1:/from:ro -v hb-script-v2:/to busybox sh -c 'cp -a /from/. /to/copy && ls /to; touch /from/x'; echo "code $?"
docker run -d --name hb-script-user -v hb-script-v1:/d busybox sleep 100 >/dev/null
docker volume rm hb-script-v1 2>&1 | sed -E 's/[0-9a-f]{64}/ID/'; echo "code ${PIPESTATUS[0]}"
docker ps -a --filter volume=hb-script-v1 --format '{{.Names}} {{.Mounts}}'
docker volume ls -q --filter label=hb-script=backup
docker volume ls --filter name=hb-script-v --filter dangling=true -q
docker rm -f hb-script-user; docker volume rm hb-script-v1 hb-script-v2 hb-script-none; echo "code $?"
docker volume inspect hb-script-v1 -f '{{.Mountpoint}}'; echo "code $?"
docker create --name hb-script-from -v /data busybox true >/dev/null
docker run --rm --volumes-from hb-script-from busybox sh -c 'echo kept >/data/f'
docker run --rm --volumes-from hb-script-from:ro busybox sh -c 'cat /data/f; touch /data/g'; echo "code $?"
docker run --rm --volumes-from hb-script-from -v "$work":/b busybox tar cf /b/from.tar -C / data; tar tf "$work/from.tar"
docker run --rm --volumes-from hb-script-none busybox true; echo "code $?"
name=$(docker inspect -f '{{range .Mounts}}{{.Name}}{{end}}' hb-script-from); docker rm -v hb-script-from; docker volume inspect "$name" >/dev/null 2>&1 || echo "gone along"
