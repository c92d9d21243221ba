# Streams in and out: heredocs, tar pipes, save through gzip, exec with a dump on stdin, binary data.
set -euo pipefail
docker run --rm -i busybox sh -s one <<'SCRIPT'
echo "argument $1"
SCRIPT
docker run -d --name hb-script-db busybox sh -c 'mkdir /data; exec sleep 300' >/dev/null
trap 'docker rm -f hb-script-db >/dev/null; rm -rf "$work"' EXIT
work=$(mktemp -d)
seq 1000 >"$work/dump.sql"
docker exec -i hb-script-db sh -c 'cat >/data/dump; wc -l </data/dump' <"$work/dump.sql"
docker exec hb-script-db cat /data/dump | md5sum
docker cp hb-script-db:/data/dump - | tar xO | md5sum
tar c -C "$work" dump.sql | docker cp - hb-script-db:/tmp
docker exec hb-script-db md5sum /tmp/dump.sql
docker cp "$work/dump.sql" hb-script-db:/data/copied && docker exec hb-script-db ls /data
head -c 3000000 /dev/urandom >"$work/binary"
docker run --rm -i busybox cat <"$work/binary" | cmp - "$work/binary" && echo same
docker exec -i hb-script-db cat <"$work/binary" | cmp - "$work/binary" && echo same
docker save busybox | gzip -1 | gunzip | tar t | grep -c json
docker export hb-script-db | tar t | grep -E '^(data/dump|etc/passwd)$' | sort
docker run --rm busybox sh -c 'echo out; echo err >&2' 2>/dev/null
docker run --rm busybox sh -c 'echo out; echo err >&2' 2>&1 >/dev/null
yes | docker run --rm -i busybox head -n 2
docker run --rm busybox yes | head -n 1 || true
echo ignored | docker run --rm busybox cat
docker run --rm -i busybox wc -c </dev/null
printf 'a\0b\377' | docker run --rm -i busybox od -An -tx1
