# What bash brings: here-documents and -strings, process substitution, loops over stdin, big arguments, bytes that are no text.
set -u
docker run --rm -i busybox sh -s one 'two three' <<'EOF'
echo "$1|$2|$#"
while read x; do echo "got $x"; done <<X
a
b
X
EOF
echo "code $?"
docker run --rm -i busybox cat <<< 'here string'
printf 'no newline' | docker run --rm -i busybox cat; echo
docker run --rm busybox cat </dev/null; echo "code $?"
docker run -i --rm busybox wc -c < <(head -c 100000 /dev/zero)
diff <(docker run --rm busybox ls /) <(docker run --rm busybox ls /) && echo same
paste <(docker run --rm busybox seq 3) <(docker run --rm busybox seq 4 6)
# the reader goes away
docker run --rm busybox seq 1000000 | head -n 1; echo "code ${PIPESTATUS[0]}"
docker run --rm busybox sh -c 'echo out; echo err >&2' 2>&1 >/dev/null
mapfile -t lines < <(docker run --rm busybox seq 3); echo "${#lines[@]}"
printf 'a\nb\nc\n' | while read -r x; do docker run --rm busybox echo "$x"; done
printf 'a\nb\nc\n' | while read -r x; do docker run --rm -i busybox cat >/dev/null; echo "$x"; done
printf 'a\nb\n' | xargs -n1 docker run --rm busybox echo; printf 'a\nb\n' | xargs -P2 -I{} docker run --rm busybox echo {} | sort
docker run --rm busybox sh -c 'echo ${#1}' x "$(head -c 100000 /dev/zero | tr '\0' a)"
docker run --rm -e "BIG=$(head -c 100000 /dev/zero | tr '\0' b)" busybox sh -c 'echo ${#BIG}'
docker run --rm busybox echo '$HOME' "\$x" '`y`' 'a  b' '' | od -c
docker run --rm --entrypoint sh busybox -c 'echo "$0 $*"; exec "$@"' zero echo replaced
docker run --rm busybox sh -c 'set -- "a b" c; for x; do echo "[$x]"; done'
LC_ALL=C docker run --rm busybox echo 'grüße ☃'; LC_ALL=C docker run --rm -e 'X=ü' busybox sh -c 'echo $X | wc -c'
LC_ALL=C docker run --rm --name 'hb-script-ü' busybox true; echo "code $?"
LC_ALL=C docker run --rm busybox printf '\377\376' | od -An -tx1
docker run --rm -t busybox sh -c 'test -t 1 && echo tty; printf "a\nb\n"; echo err >&2' 2>/dev/null | od -c
docker run --rm -it busybox true </dev/null; echo "code $?"
