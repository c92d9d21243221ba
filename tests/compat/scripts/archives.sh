# save through gzip and back, tags, rmi, export into import, history, and the errors of each.
set -uo pipefail
work=$(mktemp -d); trap 'docker rm -f hb-script-x >/dev/null 2>&1; docker rmi -f hb-script-sv:one hb-script-sv:two hb-script-x:i >/dev/null 2>&1; rm -rf "$work"' EXIT
docker tag busybox hb-script-sv:one; docker save hb-script-sv:one | gzip >"$work/sv.tgz"; echo "code $?"; docker rmi hb-script-sv:one
gunzip -c "$work/sv.tgz" | docker load; docker load -q -i "$work/sv.tgz"; docker load <"$work/sv.tgz"
docker save hb-script-sv:one | tar t | grep -E '^(index.json|manifest.json|oci-layout|repositories)$' | sort
docker save hb-script-none | wc -c; echo "code $?"
docker load -i /nosuch; echo "code $?"; docker save -o /nosuch/x busybox; echo "code $?"
docker tag hb-script-sv:one hb-script-sv:two; docker images hb-script-sv --format '{{.Repository}}:{{.Tag}}' | sort; docker images -q hb-script-sv | sort -u | wc -l
docker images --filter reference='hb-script-sv:*o' --format '{{.Tag}}'
docker save hb-script-sv:one hb-script-sv:two | tar xO manifest.json | python3 -c 'import json, sys; print([entry["RepoTags"] for entry in json.load(sys.stdin)])'
docker image inspect hb-script-sv:one >/dev/null 2>&1 && echo there; docker image inspect hb-script-sv:none >/dev/null 2>&1 || echo "not there $?"
docker images -q hb-script-none; echo "code $?"
docker rmi hb-script-sv:one hb-script-sv:two; docker rmi hb-script-none; echo "code $?"
docker run --name hb-script-x --label k=v busybox true
docker export hb-script-x | docker import -c 'CMD ["echo","imported"]' -c 'ENV A=b' -m note - hb-script-x:i | grep -c '^sha256:'
docker run --rm hb-script-x:i; docker inspect -f '{{.Config.Cmd}} {{.Config.Env}} {{.Comment}}' hb-script-x:i
docker history hb-script-x:i --format '{{.CreatedBy}}|{{.Comment}}'; docker history -q --no-trunc hb-script-x:i | grep -cE '^sha256:[0-9a-f]{64}$'
docker export -o "$work/x.tar" hb-script-x; tar tf "$work/x.tar" | grep -cE '^(bin/|etc/passwd|\.dockerenv)$'
docker export hb-script-none; echo "code $?"; docker history hb-script-none:x; echo "code $?"
docker rmi hb-script-x:i | grep -c .
