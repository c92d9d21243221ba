# A tool run over the present folder as the present user, as Makefiles do it.
set -eu
work=$(mktemp -d); cd "$work"; trap 'cd /; rm -rf "$work"' EXIT
chmod 777 .; echo 'hello' >input
docker run --rm -v "$PWD:/src" -w /src -u 1234:2345 busybox sh -c 'id -u; id -g; pwd; tr a-z A-Z <input >output'
stat -c '%u:%g %n' output; cat output
docker run --rm -v "$PWD":/src:ro -w /src busybox sh -c 'touch x' 2>&1 || echo "read only"
docker run --rm -v ./:/src busybox ls /src
docker run --rm --mount type=bind,source="$PWD",target=/src,readonly busybox cat /src/input
docker run --rm -e VERSION=1.2 --env-file <(printf 'A=1\n#c\nB=two words\n') busybox sh -c 'echo $VERSION $A $B'
cat >Makefile <<'MAKE'
NAME := hb-script-make
all: ; @docker run --rm --name $(NAME) -v $(CURDIR):/w -w /w busybox sh -c 'test -f Makefile && echo "made in $$PWD"'
fail: ; @docker run --rm busybox sh -c 'exit 3'
MAKE
make -s all
make -s fail 2>/dev/null || echo "code $?"
