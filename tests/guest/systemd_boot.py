"""Runs tests/guest/systemd_checks.py in a virtual machine whose first process is systemd, as Debian or Ubuntu has it, and prints what it says.

    python tests/guest/systemd_boot.py [CHECK…]

The root file system is made once of the distribution's packages by mmdebstrap and kept in build/guest/; a run gets a copy and lays this
checkout over it. Needs what boot.py needs, and mmdebstrap and mke2fs. Takes about two minutes; the first time one or two more.
"""

from __future__ import annotations

import os
import platform
import shutil
import subprocess
import sys
from pathlib import Path

if __name__ == "__main__":  # as a script: only this folder is known
    sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from tests.guest import boot

MODULES = (*boot.MODULES, "ext4")
PACKAGES = "systemd-sysv,dbus,python3,crun,iproute2,busybox-static"
ORIGIN, SUITE, COMPONENTS = "Debian", "bookworm", "main"  # its systemd has both modes of cgroups
if platform.freedesktop_os_release().get("ID") == "ubuntu":
    ORIGIN, SUITE, COMPONENTS = "Ubuntu", platform.freedesktop_os_release()["VERSION_CODENAME"], "main,universe"
SIZE = "500M"
UNIT = """[Unit]
Description=Checks
After=dbus.service
[Service]
Type=oneshot
Environment=PYTHONDONTWRITEBYTECODE=1 HOME=/root
StandardOutput=tty
StandardError=tty
TTYPath=/dev/ttyS0
ExecStart=/usr/bin/python3 /hyperbox/systemd_checks.py
"""


def missing() -> str:
    """Return what this machine lacks for the guest, or ""."""
    for program in ("mmdebstrap", "mke2fs"):
        if not image_path().exists() and shutil.which(program) is None:
            return f"{program} is not installed"
    return boot.missing()


def image_path() -> Path:
    """Return where the root file system is kept; another list of packages is another file."""
    return boot.BUILD / f"{SUITE}-{PACKAGES.replace(',', '-')}.ext4"


def make_image() -> Path:
    """Make the root file system where it is not there, and return it. Raises CalledProcessError."""
    target = image_path()
    if target.exists():
        return target
    boot.BUILD.mkdir(parents=True, exist_ok=True)
    root, unfinished = boot.BUILD / f"root.{os.getpid()}", boot.BUILD / f"ext4.{os.getpid()}"
    excluded = [f"--dpkgopt=path-exclude=/usr/share/{name}/*" for name in ("doc", "man", "locale")]
    options = [
        "--quiet",
        "--mode=root",
        "--variant=minbase",
        "--format=directory",
        f"--include={PACKAGES}",
        f"--components={COMPONENTS}",
        *excluded,
    ]
    try:
        without = '--aptopt=Apt::Install-Recommends "false"'
        subprocess.run(
            ["mmdebstrap", *options, without, SUITE, root, *mirror()], check=True, capture_output=True, text=True
        )
        size = ["-O", "^has_journal", "-m", "0", "-d", root, unfinished, SIZE]
        subprocess.run(["mke2fs", "-q", "-t", "ext4", *size], check=True)
        unfinished.rename(target)
    finally:
        subprocess.run(["rm", "-rf", "--one-file-system", root, unfinished], check=True)
    return target


def mirror() -> list[str]:
    """Return where this machine gets the suite's packages, where it is of that suite; else mmdebstrap knows."""
    words = ["apt-get", "indextargets", "--format", "$(ORIGIN) $(CODENAME) $(REPO_URI)"]
    rows = [
        line.split() for line in subprocess.run(words, capture_output=True, text=True, check=False).stdout.split("\n")
    ]
    return [row[2] for row in rows if row[:2] == [ORIGIN, SUITE]][:1]


def run(checks: list[str], *, unified: bool = True) -> subprocess.CompletedProcess[str]:
    """Boot the guest, and again when it reboots, and return its finished run: its consoles as stdout; -1 is the code of one that took too long."""
    kernel, image = boot.fetch_kernel(), make_image()
    target, disk, root = (boot.BUILD / f"{name}.{os.getpid()}" for name in ("systemd", "disk", "root"))
    initrd = boot.basis(kernel, MODULES, checks)
    initrd.files["/init"] = Path(__file__).with_name("systemd_init").read_bytes()
    initrd.files["/units/checks.service"] = UNIT.encode()
    try:
        initrd.write(target)
        subprocess.run(["cp", "--sparse=always", image, root], check=True)
        with open(disk, "wb") as file:
            file.truncate(boot.DISK << 20)
        drives = [f"file={path},format=raw,if=virtio,cache=unsafe" for path in (disk, root)]
        words = f"systemd.unified_cgroup_hierarchy={int(unified)} systemd.unit=checks.service systemd.show_status=0"
        first = boot.boot(kernel, target, drives, words)
        if first.returncode or "GUEST reboots" not in first.stdout:
            return first
        second = boot.boot(kernel, target, drives, words)  # the machine's end was real; this is its next start
        return subprocess.CompletedProcess(second.args, second.returncode, first.stdout + second.stdout, "")
    finally:
        for path in (target, disk, root):
            path.unlink(missing_ok=True)


if __name__ == "__main__":
    if why := missing():
        sys.exit(why)
    finished = run([each for each in sys.argv[1:] if each != "--hybrid"], unified="--hybrid" not in sys.argv)
    sys.stdout.write(finished.stdout + finished.stderr)
