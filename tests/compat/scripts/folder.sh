# A project's folder with -v, -w and -u under set -euo pipefail; env files, tmpfs and read-only roots.
set -euo pipefail
work=$(mktemp -d); cd "$work"; trap 'cd /; rm -rf "$work"' EXIT; chmod 777 .
docker run --rm -v "$PWD":/x -w /x -u "$(id -u):$(id -g)" busybox sh -c 'pwd; echo made >made; id -u'
stat -c '%u %s' made
docker run --rm -v "$PWD":/x:ro -w /x busybox sh -c 'echo no >no' || echo "code $?"
docker run --rm -v "$PWD:/x" -w /x/new/deep -u 1234 busybox sh -c 'pwd; id -u; id -g; touch here' || echo "code $?"
stat -c '%u:%g %a' new/deep
docker run --rm --user nobody busybox id -u; docker run --rm --user nosuch busybox id || echo "code $?"
docker run --rm -v "$PWD/created:/n" busybox ls -d /n; rmdir created && echo "was created"
docker run --rm --mount type=bind,src=/nosuch,dst=/x busybox true || echo "code $?"
docker run --rm --mount type=bad,dst=/x busybox true || echo "code $?"
docker run --rm -v "$PWD/made:/etc/made:ro" busybox cat /etc/made
printf 'A=1\n# c\nB="quoted"\nC= spaced \nDOCKER_HB_FROM\n\nD=a=b\n' >ef; export DOCKER_HB_FROM=file DOCKER_HB_PASSED=yes
docker run --rm --env-file ef -e A=2 -e DOCKER_HB_PASSED -e HB_SCRIPT_UNSET busybox env | sort | grep -vE '^(PATH|HOSTNAME)='
printf 'bad name=1\n' >ef2; docker run --rm --env-file ef2 busybox true || echo "code $?"
docker run --rm --read-only --tmpfs /scratch:size=1m busybox sh -c 'touch /x; echo code $?; touch /scratch/x && echo ok; df /scratch | tail -n 1 | awk "{print \$2}"; head -c 2000000 /dev/zero >/scratch/y; echo code $?' 2>/dev/null
docker run --rm --mount type=tmpfs,dst=/m,tmpfs-mode=1770 busybox stat -c '%a' /m
docker run --rm --hostname h.example --add-host x:1.2.3.4 busybox sh -c 'hostname; grep 1.2.3.4 /etc/hosts'
docker run --rm --cap-drop ALL busybox chown 1 /tmp || echo "code $?"
docker run --rm --ulimit nofile=100:200 --shm-size 1m busybox sh -c 'ulimit -n; ulimit -Hn; df /dev/shm | tail -n 1 | awk "{print \$2}"'
docker run --rm --ulimit bad=1 busybox true || echo "code $?"
