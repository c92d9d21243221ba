# What a process in a container sees of its limits, rights, mounts, devices, names and networks; one fact a line, "section: fact".
exec 2>&1
section() { while IFS= read -r line; do echo "$1: $line"; done; }
id | section id
echo "pwd: $PWD"
env | grep -vE '^(HOSTNAME|PWD|SHLVL|OLDPWD)=' | section env
grep -E '^(Cap|NoNew|Seccomp:|Groups|Umask|SigIgn)' /proc/self/status | section status
grep -v '^Limit' /proc/self/limits | section limit
section oom </proc/self/oom_score_adj
awk '{
  tags = ""; kind = ""
  for (i = 7; i <= NF; i++) { if ($i == "-") { kind = $(i + 1); super = $(i + 3); break } sub(/:.*/, "", $i); if ($i != "master") tags = tags " " $i }
  keep = ""; n = split(super, words, ",")
  for (j = 1; j <= n; j++) if (words[j] ~ /^(size|mode|nr_inodes|uid|gid)=/) keep = keep " " words[j]
  if ($5 ~ /^\/(proc|sys)\//) { kind = ""; keep = ""; ro = ($6 ~ /(^|,)ro(,|$)/) ? "ro" : "rw"; $6 = ro }
  if ($5 ~ /^\/proc\/(interrupts|keys|timer_list)$/) $6 = ""
  if ($5 == "/" || $5 == "/dev/shm" && super ~ /size=([0-9]{6,}|65536)k/) keep = ""
  print $5, $6, kind keep tags
}' /proc/self/mountinfo | section mount
(cd /dev && ls -ld * [!f]*/* 2>/dev/null | awk '$NF != "/proc/kcore" && $(NF - 2) != "core" { gsub(/ +/, " "); sub(/ [A-Z][a-z][a-z] +[0-9]+ [0-9:]+ /, " "); sub(/^([^ ]+) +[0-9]+/, substr($1, 1)); print }' | sed 's/^\(d[^ ]*\) root root [0-9]* /\1 root root /') | section dev
grep -vE '^(#|$)' /etc/resolv.conf | section resolv
section hosts </etc/hosts
hostname | section hostname
section domain </proc/sys/kernel/domainname
cd /sys/fs/cgroup 2>/dev/null && for file in memory/memory.limit_in_bytes memory/memory.memsw.limit_in_bytes memory/memory.soft_limit_in_bytes \
  memory/memory.swappiness memory/memory.oom_control cpu/cpu.shares cpu/cpu.cfs_quota_us cpu/cpu.cfs_period_us cpu/cpu.rt_period_us \
  cpu/cpu.rt_runtime_us cpuset/cpuset.cpus cpuset/cpuset.mems pids/pids.max devices/devices.list blkio/blkio*weight* blkio/blkio.throttle*device; do
  [ -f "$file" ] && section "${file#*/}" <"$file"
done
grep -v '^0:' /proc/self/cgroup | cut -d: -f3 | sort -u | section cgroup
for file in net/ipv4/ip_forward net/core/somaxconn kernel/msgmax kernel/shmmni net/ipv4/ip_unprivileged_port_start net/ipv4/ping_group_range; do
  tr '\t' ' ' <"/proc/sys/$file" | section "$file"
done
for kind in cgroup ipc mnt net pid user uts; do [ "$(readlink /proc/self/ns/$kind)" = "$(readlink /proc/1/ns/$kind)" ] || echo "namespace: $kind differs from process 1's"; done
section first </proc/1/comm
ip -o link | awk '{print $2, $3}' | sed 's/@if[0-9]*//' | section link
ip -o addr | awk '$2 != "lo" && $4 !~ /^fe80/ { print $2, $3, $4 }' | section address
ip route | section route
[ -e /.dockerenv ] && echo "dockerenv: there"
touch /written && echo "root: writable"
for path in /proc/kcore /proc/keys /sys/firmware /proc/timer_list; do [ -c $path ] && echo "masked: $path"; [ -d $path ] && [ -z "$(ls $path)" ] && echo "masked: $path"; done
[ -t 0 ] && echo "stdin: terminal"; [ -t 1 ] && echo "stdout: terminal"
for path in /m /m2 /data /anonymous; do [ -d $path ] && ls -lan $path | awk '{print $1, $3, $4, $NF}' | grep -v '^total' | section "$path"; done
true
