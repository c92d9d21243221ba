# A dump through exec -i: into a file, out of it, a here-document that ends with a code of its own, and exec's own errors.
set -u
work=$(mktemp -d); trap 'docker rm -f hb-script-dump >/dev/null 2>&1; rm -rf "$work"' EXIT
docker run -d --name hb-script-dump busybox sleep 1000 >/dev/null
printf 'create table x;\nselect 1;\n' >"$work/dump.sql"
docker exec -i hb-script-dump sh -c 'cat >/restored; wc -l </restored' <"$work/dump.sql"; echo "code $?"
docker exec hb-script-dump cat /restored >"$work/back.sql"; cmp "$work/dump.sql" "$work/back.sql" && echo same
docker exec hb-script-dump cat /restored | gzip | gunzip | docker exec -i hb-script-dump sh -c 'cat >/again; md5sum </again'
docker exec -i hb-script-dump sh <<EOF
echo "here $(echo outer)"
echo inner \$\$ | wc -w
exit 7
EOF
echo "code $?"
echo data | docker exec hb-script-dump cat; echo "code $?"
echo data | docker exec -i hb-script-dump head -c 2; echo; echo "code $?"
docker exec hb-script-dump nosuch; echo "code $?"
docker exec hb-script-dump /etc; echo "code $?"
docker exec -w /nosuch hb-script-dump pwd; echo "code $?"
docker exec -u nosuch hb-script-dump id; echo "code $?"
docker exec -w /tmp -u 12:34 hb-script-dump sh -c 'pwd; id -u; id -g'
docker exec -e A=1 -e HB_SCRIPT_UNSET hb-script-dump sh -c 'echo "$A|${HB_SCRIPT_UNSET-unset}"'
docker exec -it hb-script-dump true </dev/null; echo "code $?"
docker exec hb-script-dump sh -c 'kill -9 $$'; echo "code $?"
docker exec -d hb-script-dump sh -c 'echo behind >/behind'; echo "code $?"
until docker exec hb-script-dump test -s /behind; do sleep 0.1; done; docker exec hb-script-dump cat /behind
docker stop -t 0 hb-script-dump; docker exec hb-script-dump true 2>&1 | sed -E 's/container [0-9a-f]+ /container ID /'; echo "code ${PIPESTATUS[0]}"
docker rm hb-script-dump; docker exec hb-script-dump true; echo "code $?"
