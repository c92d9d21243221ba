# What cibuildwheel does: one shell in a container, driven through the pipe of `start --attach --interactive`, and files through `exec` and `cp`.
folder=$(mktemp -d)
trap 'docker rm --force -v hb-pipe >/dev/null 2>&1; rm -rf "$folder"' EXIT
docker version -f '{{json .}}' | grep -oE '"(Client|Server)":' | sort -u
docker image inspect busybox --format '{{.Os}}/{{.Architecture}}'
CIBW=1 docker create --env=CIBW --env=NOT_SET_HERE --name=hb-pipe --interactive --volume=/:/host --platform=linux/amd64 --pull=never busybox /bin/sh | wc -c
mkfifo "$folder/in" "$folder/out"
docker start --attach --interactive hb-pipe <"$folder/in" >"$folder/out" &
shell=$!
exec 5>"$folder/in" 6<"$folder/out"
call() { # a command, its words quoted, whose output ends at a mark with its exit code
  printf '(%s) ; printf "%%04d%%s\\n" $? END-MARK\n' "$*" >&5
  local line
  while IFS= read -r -t 30 line <&6; do
    case $line in *[0-9][0-9][0-9][0-9]END-MARK) echo "${line%END-MARK}"; break;; *) echo "$line";; esac
  done
}
call /bin/true
call cd /tmp '&&' pwd
call 'printf no-newline'
call 'echo $CIBW-${NOT_SET_HERE-unset}'
call 'exit 12'
call 'ls -d /host/tmp'
call "X='$(head -c 60000 /dev/zero | tr '\0' x)' env | grep ^X= | wc -c"
head -c 100000 /dev/urandom >"$folder/file"
docker exec -i hb-pipe sh -c 'cat > /tmp/file' <"$folder/file"
docker exec -i hb-pipe cat /tmp/file | cmp - "$folder/file" && echo same
mkdir "$folder/dir"; echo inner >"$folder/dir/a"; ln -s a "$folder/dir/link"
tar -c -f - -C "$folder/dir" . | docker exec -i hb-pipe tar --no-same-owner -xC /tmp -f -
call 'cat /tmp/link'
docker cp "$folder/dir" hb-pipe:/made; docker exec hb-pipe ls /made
docker exec -i hb-pipe tar -cC /made -f - . | tar -xC "$folder" -f - && ls "$folder"
echo 'exit 0' >&5
wait $shell; echo "$?"
exec 5>&- 6<&-
docker rm --force -v hb-pipe
docker ps -a --filter name=hb-pipe -q
