# The rules of cp: folder into folder, folder as a new name, contents with "/.", links, "-" both ways, and what it refuses.
set -u
work=$(mktemp -d); cd "$work"; trap 'docker rm -f hb-script-cp >/dev/null 2>&1; rm -rf "$work"' EXIT
mkdir -p src/sub out; echo a >src/a; echo b >src/sub/b; ln -s a src/l
docker create --name hb-script-cp busybox sleep 10 >/dev/null
docker cp src hb-script-cp:/tmp/new; docker cp src hb-script-cp:/tmp/; docker cp src/. hb-script-cp:/tmp/flat; docker cp src/a hb-script-cp:/tmp/file
docker cp src/a hb-script-cp:/tmp/nodir/; echo "code $?"
docker cp src/a hb-script-cp:/tmp/no/where; echo "code $?"
docker cp src hb-script-cp:/tmp/file; echo "code $?"
docker cp src/a/ hb-script-cp:/tmp/x 2>/dev/null; echo "code $?"
docker cp nosuch hb-script-cp:/tmp 2>/dev/null; echo "code $?"
docker cp hb-script-cp:/nosuch .; echo "code $?"
docker cp hb-script-cp:/tmp/new/. out; docker cp hb-script-cp:/tmp/new out; docker cp hb-script-cp:/tmp/new out/named
docker cp hb-script-cp:/tmp/new/l out/l2; docker cp -L hb-script-cp:/tmp/new/l out/l3
find out | sort; readlink out/l2; cat out/l3
docker cp hb-script-cp:/tmp - | tar t | sort
tar c src | docker cp - hb-script-cp:/tmp/fromtar; echo "code $?"
tar c src | docker cp - hb-script-cp:/var; echo "code $?"; docker cp hb-script-cp:/var/src/a - | tar xO
tar cz src | docker cp - hb-script-cp:/root; echo "code $?"; docker cp hb-script-cp:/root/src/sub/b - | tar xO
docker cp hb-script-cp:/tmp hb-script-cp:/var; echo "code $?"
docker cp hb-script-gone:/tmp .; echo "code $?"
docker cp a b; echo "code $?"
docker start hb-script-cp >/dev/null; docker exec hb-script-cp stat -c "%n %a %u:%g" /tmp/new/a /tmp/flat/sub /tmp/file
docker cp -a src hb-script-cp:/srv; docker cp -q src/a hb-script-cp:/srv/a; docker exec hb-script-cp cat /srv/a
docker diff hb-script-cp | sort
