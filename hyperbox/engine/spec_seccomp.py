"""docker's default seccomp profile as a table, and the profile of one container made from it. Pure.

The calls are those that Docker Engine 28 allows (https://docs.docker.com/engine/security/seccomp/): all others fail with EPERM.
Names that the host's libseccomp does not know are left out by the runtime. The same input gives the same text, byte for byte:
crun caches a compiled filter by it.
"""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable

    Json = dict[str, object]

ALLOWED = """
_llseek _newselect accept accept4 access adjtimex alarm bind brk cachestat capget capset chdir chmod chown chown32 clock_adjtime
clock_adjtime64 clock_getres clock_getres_time64 clock_gettime clock_gettime64 clock_nanosleep clock_nanosleep_time64 close
close_range connect copy_file_range creat dup dup2 dup3 epoll_create epoll_create1 epoll_ctl epoll_ctl_old epoll_pwait epoll_pwait2
epoll_wait epoll_wait_old eventfd eventfd2 execve execveat exit exit_group faccessat faccessat2 fadvise64 fadvise64_64 fallocate
fanotify_mark fchdir fchmod fchmodat fchmodat2 fchown fchown32 fchownat fcntl fcntl64 fdatasync fgetxattr flistxattr flock fork
fremovexattr fsetxattr fstat fstat64 fstatat64 fstatfs fstatfs64 fsync ftruncate ftruncate64 futex futex_requeue futex_time64
futex_wait futex_waitv futex_wake futimesat get_robust_list get_thread_area getcpu getcwd getdents getdents64 getegid getegid32
geteuid geteuid32 getgid getgid32 getgroups getgroups32 getitimer getpeername getpgid getpgrp getpid getppid getpriority getrandom
getresgid getresgid32 getresuid getresuid32 getrlimit getrusage getsid getsockname getsockopt gettid gettimeofday getuid getuid32
getxattr getxattrat inotify_add_watch inotify_init inotify_init1 inotify_rm_watch io_cancel io_destroy io_getevents io_pgetevents
io_pgetevents_time64 io_setup io_submit ioctl ioprio_get ioprio_set ipc kill landlock_add_rule landlock_create_ruleset
landlock_restrict_self lchown lchown32 lgetxattr link linkat listen listmount listxattr listxattrat llistxattr lremovexattr lseek
lsetxattr lstat lstat64 madvise map_shadow_stack membarrier memfd_create memfd_secret mincore mkdir mkdirat mknod mknodat mlock
mlock2 mlockall mmap mmap2 mprotect mq_getsetattr mq_notify mq_open mq_timedreceive mq_timedreceive_time64 mq_timedsend
mq_timedsend_time64 mq_unlink mremap mseal msgctl msgget msgrcv msgsnd msync munlock munlockall munmap name_to_handle_at nanosleep
newfstatat open openat openat2 pause pidfd_open pidfd_send_signal pipe pipe2 pkey_alloc pkey_free pkey_mprotect poll ppoll
ppoll_time64 prctl pread64 preadv preadv2 prlimit64 process_mrelease process_vm_readv process_vm_writev pselect6 pselect6_time64
ptrace pwrite64 pwritev pwritev2 read readahead readlink readlinkat readv recv recvfrom recvmmsg recvmmsg_time64 recvmsg
remap_file_pages removexattr removexattrat rename renameat renameat2 restart_syscall riscv_hwprobe rmdir rseq rt_sigaction
rt_sigpending rt_sigprocmask rt_sigqueueinfo rt_sigreturn rt_sigsuspend rt_sigtimedwait rt_sigtimedwait_time64 rt_tgsigqueueinfo
sched_get_priority_max sched_get_priority_min sched_getaffinity sched_getattr sched_getparam sched_getscheduler
sched_rr_get_interval sched_rr_get_interval_time64 sched_setaffinity sched_setattr sched_setparam sched_setscheduler sched_yield
seccomp select semctl semget semop semtimedop semtimedop_time64 send sendfile sendfile64 sendmmsg sendmsg sendto set_robust_list
set_thread_area set_tid_address setfsgid setfsgid32 setfsuid setfsuid32 setgid setgid32 setgroups setgroups32 setitimer setpgid
setpriority setregid setregid32 setresgid setresgid32 setresuid setresuid32 setreuid setreuid32 setrlimit setsid setsockopt setuid
setuid32 setxattr setxattrat shmat shmctl shmdt shmget shutdown sigaltstack signalfd signalfd4 sigprocmask sigreturn socketcall
socketpair splice stat stat64 statfs statfs64 statmount statx symlink symlinkat sync sync_file_range syncfs sysinfo tee tgkill time
timer_create timer_delete timer_getoverrun timer_gettime timer_gettime64 timer_settime timer_settime64 timerfd_create
timerfd_gettime timerfd_gettime64 timerfd_settime timerfd_settime64 times tkill truncate truncate64 ugetrlimit umask uname unlink
unlinkat uretprobe utime utimensat utimensat_time64 utimes vfork vmsplice wait4 waitid waitpid write writev
"""

# capability -> the calls that it opens
BY_CAPABILITY = {
    "CAP_DAC_READ_SEARCH": "open_by_handle_at",
    "CAP_SYS_ADMIN": "bpf clone clone3 fanotify_init fsconfig fsmount fsopen fspick lookup_dcookie lsm_get_self_attr lsm_list_modules"
    " lsm_set_self_attr mount mount_setattr move_mount open_tree perf_event_open quotactl quotactl_fd setdomainname sethostname setns"
    " syslog umount umount2 unshare",
    "CAP_SYS_BOOT": "reboot",
    "CAP_SYS_CHROOT": "chroot",
    "CAP_SYS_MODULE": "delete_module init_module finit_module",
    "CAP_SYS_PACCT": "acct",
    "CAP_SYS_PTRACE": "kcmp pidfd_getfd process_madvise",
    "CAP_SYS_RAWIO": "iopl ioperm",
    "CAP_SYS_TIME": "settimeofday stime clock_settime clock_settime64",
    "CAP_SYS_TTY_CONFIG": "vhangup",
    "CAP_SYS_NICE": "get_mempolicy mbind set_mempolicy set_mempolicy_home_node",
    "CAP_SYSLOG": "syslog",
    "CAP_BPF": "bpf",
    "CAP_PERFMON": "perf_event_open",
}

# machine (uname) -> the architectures of the filter, and the calls that only it has
ARCHITECTURES = {
    "x86_64": (("SCMP_ARCH_X86_64", "SCMP_ARCH_X86", "SCMP_ARCH_X32"), "arch_prctl modify_ldt"),
    "aarch64": (
        ("SCMP_ARCH_AARCH64", "SCMP_ARCH_ARM"),
        "arm_fadvise64_64 arm_sync_file_range sync_file_range2 breakpoint cacheflush set_tls",
    ),
    "ppc64le": (("SCMP_ARCH_PPC64LE",), "sync_file_range2 swapcontext"),
    "riscv64": (("SCMP_ARCH_RISCV64",), "riscv_flush_icache riscv_hwprobe"),
    "s390x": (("SCMP_ARCH_S390X", "SCMP_ARCH_S390"), "s390_pci_mmio_read s390_pci_mmio_write s390_runtime_instr"),
}

NEW_NAMESPACES = 0x7E020000  # the CLONE_NEW* flags of clone(2)
PERSONALITIES = (0, 8, 0x20000, 0x20008, 0xFFFFFFFF)  # personality(2): only these values
AF_VSOCK = 40  # reaches the hypervisor whatever the network namespace is
ENOSYS = 38  # makes the C library fall back from clone3, whose flags a filter can't see


def _allow(names: str, *arguments: Json) -> Json:
    rule: Json = {"names": names.split(), "action": "SCMP_ACT_ALLOW"}
    if arguments:
        rule["args"] = list(arguments)
    return rule


def default_profile(capabilities: Iterable[str], machine: str) -> Json:
    """Return the `linux.seccomp` object for a process with these capabilities ("CAP_…") on this machine (uname -m)."""
    held = set(capabilities)
    architectures, own_calls = ARCHITECTURES.get(machine, ((), ""))
    rules = [
        _allow(ALLOWED),
        _allow("socket", {"index": 0, "value": AF_VSOCK, "op": "SCMP_CMP_NE"}),
        *(_allow("personality", {"index": 0, "value": value, "op": "SCMP_CMP_EQ"}) for value in PERSONALITIES),
    ]
    if own_calls:
        rules.append(_allow(own_calls))
    opened = " ".join(calls for capability, calls in BY_CAPABILITY.items() if capability in held)
    if opened:
        rules.append(_allow(" ".join(dict.fromkeys(opened.split()))))
    if "CAP_SYS_ADMIN" not in held:
        flags_index = 1 if machine == "s390x" else 0
        mask: Json = {"index": flags_index, "value": NEW_NAMESPACES, "valueTwo": 0, "op": "SCMP_CMP_MASKED_EQ"}
        rules.append(_allow("clone", mask))
        rules.append({"names": ["clone3"], "action": "SCMP_ACT_ERRNO", "errnoRet": ENOSYS})
    profile: Json = {"defaultAction": "SCMP_ACT_ERRNO", "defaultErrnoRet": 1, "syscalls": rules}
    if architectures:
        profile["architectures"] = list(architectures)
    return profile


# Docker's names of architectures in a profile's "includes" -> uname's
_PROFILE_MACHINES = {"amd64": "x86_64", "arm64": "aarch64", "x32": "x86_64", "x86": "i686", "arm": "armv7l"}


def _applies(condition: object, held: set[str], machine: str, kernel: tuple[int, int]) -> dict[str, bool]:
    """Return which of the tests in an `includes` or `excludes` object hold."""
    if not isinstance(condition, dict):
        return {}
    results = {}
    capabilities, arches, minimum = condition.get("caps"), condition.get("arches"), condition.get("minKernel")
    if capabilities:
        results["caps"] = held.issuperset(capabilities)
    if arches:
        results["arches"] = machine in [_PROFILE_MACHINES.get(name, name) for name in arches]
    if minimum:
        results["minKernel"] = kernel >= tuple(int(part) for part in str(minimum).split(".")[:2])
    return results


def custom_profile(profile: Json, capabilities: Iterable[str], machine: str, kernel: tuple[int, int]) -> Json:
    """Return the `linux.seccomp` object of a profile in docker's format (`includes`, `excludes`, `archMap`, or plain OCI).

    Raises ValueError with docker's words where the profile contradicts itself.
    """
    held = set(capabilities)
    if profile.get("architectures") and profile.get("archMap"):
        raise ValueError("use either 'architectures' or 'archMap'")
    result: Json = {
        key: profile[key]
        for key in ("defaultAction", "defaultErrnoRet", "architectures", "flags", "listenerPath", "listenerMetadata")
        if profile.get(key) not in (None, [])
    }
    own = ARCHITECTURES.get(machine, ((), ""))[0]
    for entry in _list(profile.get("archMap")):
        if own and entry.get("architecture") == own[0]:
            result["architectures"] = [own[0], *(map(str, entry.get("subArchitectures") or ()))]  # type: ignore[call-overload]
    rules = []
    for rule in _list(profile.get("syscalls")):
        if rule.get("name") and rule.get("names"):
            raise ValueError("use either 'name' or 'names'")
        wanted = _applies(rule.get("includes"), held, machine, kernel)
        unwanted = _applies(rule.get("excludes"), held, machine, kernel)
        if all(wanted.values()) and not any(unwanted.values()):
            names = rule.get("names") or [rule.get("name")]
            kept: Json = {"names": names, "action": rule.get("action")}
            kept.update({key: rule[key] for key in ("args", "errnoRet") if rule.get(key) not in (None, [])})
            rules.append(kept)
    result["syscalls"] = rules
    return result


def _list(value: object) -> list[Json]:
    return [entry for entry in value if isinstance(entry, dict)] if isinstance(value, list) else []
