"""Runs tests/guest/checks.py in a virtual machine with cgroup v2 alone, under the kernel that Debian or Ubuntu has for such, and prints what it says.

    python tests/guest/boot.py [CHECK…]

QEMU (without KVM) boots an initrd that is made here and holds all that is needed: busybox, Python with this checkout, crun, an image, and the
kernel's modules. The kernel's packages are downloaded into build/guest/ and unpacked, never installed. Needs qemu-system-x86, busybox-static,
crun, and apt-get for the download; zstd or xz where the modules are compressed. Takes about a minute.
"""

from __future__ import annotations

import os
import platform
import re
import shutil
import stat
import subprocess
import sys
import sysconfig
import tarfile
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
BUILD = ROOT / "build" / "guest"
# what depends on the kernel -> what else of it there is: Ubuntu has its modules in a package of their own
KERNELS = {"linux-image-cloud-amd64": (), "linux-image-virtual": ("linux-modules-",)}
PACKED = {".zst": "zstd", ".xz": "xz"}  # what undoes a module's compression
MODULES = ("overlay", "virtio_pci", "virtio_blk")
LIBRARIES = ("click", "platformdirs", "yaml", "_yaml")
UNUSED = (
    *(
        "test",
        "idlelib",
        "ensurepip",
        "lib2to3",
        "tkinter",
        "turtledemo",
        "distutils",
        "dist-packages",
        "site-packages",
    ),
    *("unittest", "pydoc_data", "asyncio", "sqlite3", "curses", "dbm", "multiprocessing", "xmlrpc", "wsgiref"),
)
MEMORY, DISK = 1536, 64  # MiB
LONGEST = 480  # seconds


def missing() -> str:
    """Return what this machine lacks for the guest, or ""."""
    if platform.machine() != "x86_64":
        return "the guest is x86_64"
    for program in ("qemu-system-x86_64", "busybox", "crun", "dpkg-deb"):
        if shutil.which(program) is None:
            return f"{program} is not installed"
    if not kernel_folder().is_dir():
        if shutil.which("apt-get") is None:
            return "apt-get is not there to download a kernel"
        if not kernel_packages():
            return f"apt knows none of {', '.join(KERNELS)}"
    return ""


def kernel_packages() -> list[str]:
    """Return the packages of the kernel that this distribution has for virtual machines; none where apt doesn't know it."""
    for name, others in KERNELS.items():
        listed = subprocess.run(["apt-cache", "depends", name], capture_output=True, text=True, check=False).stdout
        if found := re.search(r"Depends: linux-image-(\S+)", listed):
            return [f"{kind}{found[1]}" for kind in ("linux-image-", *others)]
    return []


def kernel_folder() -> Path:
    """Return where the kernel is unpacked."""
    return BUILD / "kernel"


def fetch_kernel() -> Path:
    """Download and unpack the kernel where it is not there, and return its folder. Raises CalledProcessError."""
    target = kernel_folder()
    if target.is_dir():
        return target
    BUILD.mkdir(parents=True, exist_ok=True)
    unpacked = BUILD / f"kernel.{os.getpid()}"
    for package in kernel_packages():
        subprocess.run(["apt-get", "download", "-q", package], cwd=BUILD, check=True, capture_output=True)
        (archive,) = BUILD.glob(f"{package}_*.deb")
        subprocess.run(["dpkg-deb", "-x", archive, unpacked], check=True)
        archive.unlink()
    unpacked.rename(target)
    return target


def modules(kernel: Path, wanted: tuple[str, ...] = MODULES) -> list[Path]:
    """Return the kernel's modules that a guest needs, each after those that it depends on."""
    found = {
        path.name.partition(".")[0].replace("-", "_"): path for path in sorted(kernel.rglob("*.ko*"), reverse=True)
    }
    order: list[Path] = []

    def add(name: str) -> None:
        path = found.get(name)
        if path is not None and path.suffix in PACKED:
            subprocess.run([PACKED[path.suffix], "-dqkf", path], check=True)
            path = found[name] = path.with_suffix("")
        if path is None or path in order:
            return
        match = re.search(rb"\0depends=([^\0]*)\0", b"\0" + path.read_bytes())
        for other in match[1].decode().split(",") if match else []:
            add(other.replace("-", "_"))
        order.append(path)

    for name in wanted:
        add(name)
    return order


def libraries(program: Path) -> Iterator[Path]:
    """Yield the shared libraries that a program needs."""
    listed = subprocess.run(["ldd", program], capture_output=True, text=True, check=False).stdout
    for match in re.finditer(r"(?:=> )?(/\S+) \(0x", listed):
        yield Path(match[1])


class Initrd:
    """A root file system being collected: path in the guest -> file here, or content."""

    def __init__(self) -> None:
        self.files: dict[str, Path | bytes] = {}
        self.links: dict[str, str] = {}

    def add_program(self, source: Path, target: str) -> None:
        """Add a program with its libraries."""
        self.files[target] = source.resolve()
        for library in libraries(source.resolve()):
            self.files[str(library)] = library.resolve()

    def add_tree(self, source: Path, target: str, unused: tuple[str, ...] = ()) -> None:
        """Add a folder with all files in it."""
        for folder, names, files in os.walk(source):
            names[:] = [name for name in names if name not in unused]
            for name in files:
                path = Path(folder, name)
                self.files[f"{target}/{path.relative_to(source)}"] = path.resolve()

    def write(self, path: Path) -> None:
        """Write a cpio archive (newc; Documentation/driver-api/early-userspace/buffer-format.rst)."""
        entries: dict[str, tuple[int, int, Path | bytes]] = {}
        for name, source in self.files.items():
            status = source.stat() if isinstance(source, Path) else None
            mode = 0o100000 | (stat.S_IMODE(status.st_mode) if status else 0o755)
            entries[name.lstrip("/")] = (mode, int(status.st_mtime) if status else 0, source)
        for name, to in self.links.items():
            entries[name.lstrip("/")] = (0o120777, 0, to.encode())
        for name in list(entries):
            for parent in Path(name).parents:
                if str(parent) != ".":
                    entries.setdefault(str(parent), (0o40755, 0, b""))
        with open(path, "wb") as file:
            for number, name in enumerate([*sorted(entries), "TRAILER!!!"], 1):
                mode, modified, source = entries.get(name, (0, 0, b""))
                data = source if isinstance(source, bytes) else source.read_bytes()
                fields = (number, mode, 0, 0, 1, modified, len(data), 0, 0, 0, 0, len(name) + 1, 0)
                head = b"070701" + b"".join(b"%08X" % field for field in fields) + name.encode() + b"\0"
                file.write(head + b"\0" * (-len(head) % 4) + data + b"\0" * (-len(data) % 4))


def make_initrd(kernel: Path, target: Path, checks: list[str]) -> None:
    """Write the guest's root file system."""
    initrd = basis(kernel, MODULES, checks)
    python = Path(sysconfig.get_config_var("BINDIR"), f"python{sysconfig.get_python_version()}")
    initrd.add_program(python, "/usr/bin/python3")
    initrd.add_program(Path(shutil.which("crun") or ""), "/usr/bin/crun")
    standard = Path(sysconfig.get_path("stdlib"))
    initrd.add_tree(standard, str(standard), UNUSED)
    for path in standard.glob("lib-dynload/*.so"):
        for library in libraries(path):
            initrd.files[str(library)] = library.resolve()
    initrd.files["/init"] = Path(__file__).with_name("init").read_bytes()
    initrd.write(target)


def basis(kernel: Path, wanted: tuple[str, ...], checks: list[str]) -> Initrd:
    """Return what every guest begins with: busybox, modules of the kernel, this checkout, an image, and the names of checks."""
    initrd = Initrd()
    initrd.files["/bin/busybox"] = Path(shutil.which("busybox") or "").resolve()
    here = Path(sysconfig.get_path("purelib"))
    for name in LIBRARIES:
        initrd.add_tree(here / name, f"/hyperbox/{name}")
    initrd.add_tree(ROOT / "hyperbox", "/hyperbox/hyperbox")
    for name in ("checks", "systemd_checks"):
        initrd.files[f"/hyperbox/{name}.py"] = Path(__file__).with_name(f"{name}.py")
    initrd.files["/image.tar"] = image()
    for number, path in enumerate(modules(kernel, wanted)):
        initrd.files[f"/modules/{number:02}-{path.name}"] = path
    initrd.files["/checks"] = " ".join(checks).encode()
    initrd.links["/bin/sh"] = "busybox"
    return initrd


def image() -> Path:
    """Return a root file system with busybox in it, as a tar."""
    target = BUILD / "image.tar"
    with tarfile.open(target, "w") as archive:
        archive.add(Path(shutil.which("busybox") or "").resolve(), "bin/busybox")
        listed = subprocess.run(["busybox", "--list"], capture_output=True, text=True, check=True).stdout.split()
        for name in listed:
            member = tarfile.TarInfo(f"bin/{name}")
            member.type, member.linkname, member.mode = tarfile.SYMTYPE, "busybox", 0o777
            if name != "busybox":
                archive.addfile(member)
    return target


def run(checks: list[str]) -> subprocess.CompletedProcess[str]:
    """Boot the guest and return its finished run, its console as stdout; -1 is the code of one that took too long."""
    kernel = fetch_kernel()
    initrd, disk = BUILD / f"initrd.{os.getpid()}", BUILD / f"disk.{os.getpid()}"
    try:
        make_initrd(kernel, initrd, checks)
        with open(disk, "wb") as file:
            file.truncate(DISK << 20)
        return boot(kernel, initrd, [f"file={disk},format=raw,if=virtio,cache=unsafe"], "cgroup_no_v1=all")
    finally:
        initrd.unlink(missing_ok=True)
        disk.unlink(missing_ok=True)


def boot(kernel: Path, initrd: Path, drives: list[str], words: str) -> subprocess.CompletedProcess[str]:
    """Run a virtual machine to its end, which a reboot is as well: `drives` are values of qemu's -drive, `words` more for the kernel."""
    (image_file,) = kernel.glob("boot/vmlinuz-*")
    line = f"console=ttyS0 quiet panic=-1 psi=1 mitigations=off random.trust_cpu=on {words}"
    argv = ["qemu-system-x86_64", "-accel", "tcg,thread=multi", "-cpu", "max", "-smp", "2", "-m", str(MEMORY)]
    argv += ["-kernel", str(image_file), "-initrd", str(initrd), "-append", line, "-no-reboot"]
    argv += ["-display", "none", "-monitor", "none", "-serial", "stdio", "-net", "none"]
    for drive in drives:
        argv += ["-drive", drive]
    console = initrd.with_name(f"{initrd.name}.console")
    with open(console, "w+", errors="replace") as file:
        try:
            finished = subprocess.run(
                argv, stdin=subprocess.DEVNULL, stdout=file, stderr=file, timeout=LONGEST, check=False
            )
            code = finished.returncode
        except subprocess.TimeoutExpired:  # what it said until then tells more
            code = -1
        finally:
            console.unlink()
        file.seek(0)
        return subprocess.CompletedProcess(argv, code, file.read(), "")


if __name__ == "__main__":
    if why := missing():
        sys.exit(why)
    finished = run(sys.argv[1:])
    sys.stdout.write(finished.stdout + finished.stderr)
