"""Images built with real containers: cache, concurrency, crashes, hostile contexts, secrets, outputs, and nothing left."""

from __future__ import annotations

import functools
import http.server
import io
import json
import os
import shutil
import signal
import socket
import subprocess
import tarfile
import threading
from pathlib import Path

import pytest

from tests.conftest import Command, command_under_test, wait_until

DATA = os.environ.get("HYPERBOX_DATA", "")
RUN = os.environ.get("HYPERBOX_RUN", "")
CGROUP = os.environ.get("HYPERBOX_CGROUP", "")


@pytest.fixture(autouse=True)
def _nothing_left() -> object:
    yield
    assert leftovers() == []


def leftovers() -> list[str]:
    """Return what builds may have left: steps, working folders, leases, cgroups."""
    found = []
    for folder in (
        f"{DATA}/build/containers",
        f"{DATA}/images/staging",
        f"{DATA}/images/leases",
        f"{RUN}/build/containers",
    ):
        found += [f"{folder}/{name}" for name in (os.listdir(folder) if os.path.isdir(folder) else [])]
    for hierarchy in os.listdir("/sys/fs/cgroup"):
        folder = f"/sys/fs/cgroup/{hierarchy}/{CGROUP}/_build"
        found += [entry.path for entry in (os.scandir(folder) if os.path.isdir(folder) else []) if entry.is_dir()]
    return found


def write(folder: Path, files: dict[str, str]) -> None:
    for name, text in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)


def build(hyperbox: Command, *words: str, code: int = 0) -> str:
    """Build in the test's folder and return the progress."""
    return hyperbox("build", "--progress", "plain", *words, code=code).err


def cached(progress: str) -> list[str]:
    """Return the steps that the cache had, by their names without numbers."""
    names, found = {}, []
    for line in progress.splitlines():
        number, _, rest = line.partition(" ")
        if rest == "CACHED":
            found.append(names[number].partition("] ")[2])
        elif rest.startswith("["):
            names[number] = rest
    return sorted(found)


def test_three_stages_make_an_image_that_runs_and_a_second_build_is_cached(
    hyperbox: Command, busybox: str, tmp_path: Path
) -> None:
    """Steps share a root with the layers below, COPY --from sees another stage's files, and the same input gives the same image."""
    write(
        tmp_path,
        {
            "Dockerfile": f"""\
ARG BASE={busybox}
FROM $BASE AS base
RUN mkdir -p /srv && echo base > /srv/base
FROM base AS made
ARG WHO=you
COPY src/ /src/
RUN cat /src/a /srv/base > /made && echo $WHO >> /made && rm /srv/base
FROM base
COPY --from=made /made /made
USER 12:34
WORKDIR /work
ENTRYPOINT ["cat"]
CMD ["/made"]
""",
            "src/a": "a\n",
            "src/skipped": "x\n",
            ".dockerignore": "src/skipped\n",
        },
    )
    build(hyperbox, "-t", "built-three", ".")
    image = hyperbox("image", "inspect", "-f", "{{.Id}}", "built-three").out
    assert hyperbox("run", "--rm", "built-three").out == "a\nbase\nyou\n"
    assert hyperbox("run", "--rm", "built-three", "/srv/base").out == "base\n"
    os.utime(tmp_path / "src" / "a", (1, 1))
    write(tmp_path, {"src/skipped": "y\n"})
    assert len(cached(build(hyperbox, "-t", "built-three", "."))) == 5
    assert hyperbox("image", "inspect", "-f", "{{.Id}}", "built-three").out == image
    write(tmp_path, {"src/a": "b\n"})
    assert "RUN mkdir -p /srv && echo base > /srv/base" in cached(build(hyperbox, "-t", "built-three", "."))
    assert hyperbox("run", "--rm", "built-three").out == "b\nbase\nyou\n"
    hyperbox("rmi", "-f", "built-three")


def test_what_a_step_depends_on_decides_whether_it_runs_again(hyperbox: Command, busybox: str, tmp_path: Path) -> None:
    """An argument counts from its declaration on; --no-cache and --no-cache-filter do what they say."""
    write(
        tmp_path,
        {"Dockerfile": f"FROM {busybox} AS one\nRUN echo 1\nARG A\nRUN echo 2\nFROM one AS two\nRUN echo 3\n"},
    )
    build(hyperbox, "--build-arg", "A=1", ".")
    assert cached(build(hyperbox, "--build-arg", "A=1", ".")) == ["RUN echo 1", "RUN echo 2", "RUN echo 3"]
    assert cached(build(hyperbox, "--build-arg", "A=2", ".")) == ["RUN echo 1"]
    assert cached(build(hyperbox, "--build-arg", "A=1", "--no-cache", ".")) == []
    assert cached(build(hyperbox, "--build-arg", "A=1", "--no-cache-filter", "two", ".")) == [
        "RUN echo 1",
        "RUN echo 2",
    ]


def test_a_failing_step_shows_its_output_its_lines_and_its_code(
    hyperbox: Command, busybox: str, tmp_path: Path
) -> None:
    write(tmp_path, {"Dockerfile": f"FROM {busybox}\nRUN echo said && \\\n    exit 7\n"})
    progress = build(hyperbox, ".", code=1)
    assert 'process "/bin/sh -c echo said &&     exit 7" did not complete successfully: exit code: 7' in progress
    assert "said\n" in progress
    assert "   2 | >>> RUN echo said && \\\n   3 | >>>     exit 7\n" in progress


def test_ten_builds_of_one_dockerfile_at_once_agree(hyperbox: Command, busybox: str, tmp_path: Path) -> None:
    write(
        tmp_path,
        {
            "Dockerfile": f"FROM {busybox}\nRUN --mount=type=cache,target=/c,sharing=locked echo x >> /c/n; echo made > /x\nCOPY f /f\n",
            "f": "f",
        },
    )
    running = [hyperbox.start("build", "-q", "-t", f"built-many-{number}", ".") for number in range(10)]
    outputs = [process.communicate(timeout=120) for process in running]
    assert [process.returncode for process in running] == [0] * 10, outputs
    assert hyperbox("run", "--rm", "built-many-9", "cat", "/x", "/f").out == "made\nf"
    hyperbox("rmi", "-f", *(f"built-many-{number}" for number in range(10)))


@pytest.mark.parametrize("victim", ["build", "step"])
def test_a_killed_build_leaves_what_the_next_command_sweeps(
    hyperbox: Command, busybox: str, tmp_path: Path, victim: str
) -> None:
    write(tmp_path, {"Dockerfile": f"FROM {busybox}\nRUN echo running; sleep 3600\n"})
    process = hyperbox.start("build", "--progress", "plain", ".")
    assert process.stderr is not None
    for line in process.stderr:
        if line.rstrip().endswith(b" running"):
            break
    (step,) = os.listdir(f"{DATA}/build/containers")
    owner = int(Path(f"{DATA}/build/containers/{step}/owner").read_text().split()[0])
    os.kill(process.pid if victim == "build" else owner, signal.SIGKILL)
    process.communicate(timeout=60)
    if victim == "build":  # the step's own process sees that the build has gone
        wait_until(lambda: not os.path.exists(f"/proc/{owner}"))
    write(tmp_path, {"Dockerfile": f"FROM {busybox}\nRUN true\n"})
    build(hyperbox, ".")


def test_an_interrupted_build_ends_its_steps(hyperbox: Command, busybox: str, tmp_path: Path) -> None:
    write(tmp_path, {"Dockerfile": f"FROM {busybox}\nRUN echo running; sleep 3600\n"})
    process = hyperbox.start("build", "--progress", "plain", ".")
    assert process.stderr is not None
    for line in process.stderr:
        if line.rstrip().endswith(b" running"):
            break
    process.send_signal(signal.SIGINT)
    process.communicate(timeout=60)
    assert process.returncode not in (0, None)


def test_a_hostile_context_stays_inside(hyperbox: Command, busybox: str, tmp_path: Path) -> None:
    """Links that lead out of the context, `..` and absolute names mean nothing but the context itself."""
    (tmp_path / "outside").write_text("secret")
    context = tmp_path / "context"
    write(
        context,
        {
            "Dockerfile": f"""\
FROM {busybox}
COPY tree /tree
COPY ../../outside* /out/
RUN ls -l /tree/passwd /tree/up; cat /tree/passwd | head -1; ls /out 2>&1; true
""",
            "tree/f": "f",
        },
    )
    os.symlink("/etc/passwd", context / "tree" / "passwd")
    os.symlink("../../outside", context / "tree" / "up")
    os.symlink("/etc/shadow", context / "shadow")
    os.symlink("../outside", context / "climb")
    progress = build(hyperbox, "-t", "built-hostile", str(context))
    assert "secret" not in progress
    for name in ("shadow", "climb"):
        write(context, {"Dockerfile": f"FROM {busybox}\nCOPY {name} /x\n"})
        assert f'"/{name}": not found' in build(hyperbox, str(context), code=1)
    hyperbox("rmi", "-f", "built-hostile")


def test_a_hostile_archive_of_add_stays_inside(hyperbox: Command, busybox: str, tmp_path: Path) -> None:
    with tarfile.open(tmp_path / "bad.tar", "w") as archive:
        link = tarfile.TarInfo("link")
        link.type, link.linkname = tarfile.SYMTYPE, f"{tmp_path}"
        archive.addfile(link)
        member = tarfile.TarInfo("link/escaped")
        member.size = 3
        archive.addfile(member, io.BytesIO(b"out"))
    write(tmp_path, {"Dockerfile": f"FROM {busybox}\nADD bad.tar /d/\n"})
    hyperbox("build", "-q", ".", code=None)
    assert not (tmp_path / "escaped").exists()


def test_secrets_and_agents_reach_no_layer_no_cache_and_no_log(hyperbox: Command, busybox: str, tmp_path: Path) -> None:
    in_file, in_variable = os.urandom(4).hex() + "1", os.urandom(4).hex()
    write(
        tmp_path,
        {
            "Dockerfile": f"""\
FROM {busybox}
RUN --mount=type=secret,id=s --mount=type=secret,id=e,env=TOKEN \\
    wc -c < /run/secrets/s > /n && stat -c '%a' /run/secrets/s >> /n && [ ${{#TOKEN}} = 8 ] && echo yes >> /n
RUN ls /run/secrets 2>/dev/null | wc -l >> /n; env | grep -c TOKEN >> /n; true
""",
            "secret": in_file,
        },
    )
    words = ["--secret", "id=s,src=secret", "--secret", "id=e,env=TOKEN_VALUE", "-t", "built-secret", "."]
    done = hyperbox("build", "--progress", "plain", *words, env={"TOKEN_VALUE": in_variable})
    assert in_file not in done.err
    assert in_variable not in done.err
    assert hyperbox("run", "--rm", "built-secret", "cat", "/n").out.split() == ["9", "400", "yes", "0", "0"]
    for name in (in_file, in_variable):
        grep = subprocess.run(["grep", "-rlF", name, DATA, RUN], capture_output=True, text=True, check=False)
        assert grep.stdout == ""
    hyperbox("rmi", "-f", "built-secret")


def test_mounts_of_a_step_leave_nothing_in_the_layer(hyperbox: Command, busybox: str, tmp_path: Path) -> None:
    write(
        tmp_path,
        {
            "Dockerfile": f"""\
FROM {busybox} AS other
RUN mkdir /o && echo other > /o/f
FROM {busybox}
RUN --mount=type=bind,target=/m/ctx --mount=from=other,source=/o,target=/m/o,rw --mount=type=tmpfs,target=/m/t \\
    --mount=type=cache,target=/m/c cat /m/ctx/f /m/o/f > /x; echo w > /m/o/w; echo w > /m/c/w; echo w > /m/t/w
""",
            "f": "context\n",
        },
    )
    build(hyperbox, "-t", "built-mounts", ".")
    assert hyperbox("run", "--rm", "built-mounts", "sh", "-c", "cat /x; ls /m 2>&1; true").out.splitlines()[:2] == [
        "context",
        "other",
    ]
    with tarfile.open(fileobj=io.BytesIO(hyperbox("save", "built-mounts").out_bytes)) as archive:
        manifest = json.load(archive.extractfile("manifest.json"))  # type: ignore[arg-type]
        layer = archive.extractfile(manifest[0]["Layers"][-1])
        with tarfile.open(fileobj=layer) as files:
            assert not [name for name in files.getnames() if name.startswith(("m", "dev", "proc", "sys"))]
    hyperbox("rmi", "-f", "built-mounts")


def test_outputs_hold_the_files_and_load_again(hyperbox: Command, busybox: str, tmp_path: Path) -> None:
    write(
        tmp_path,
        {"Dockerfile": f"FROM {busybox} AS b\nRUN mkdir /o && echo o > /o/f\nFROM scratch\nCOPY --from=b /o /\n"},
    )
    build(hyperbox, "-o", "out", ".")
    assert (tmp_path / "out" / "f").read_text() == "o\n"
    assert tarfile.open(fileobj=io.BytesIO(hyperbox("build", "-o", "-", ".").out_bytes)).getnames() == ["f"]
    before = hyperbox("images", "-aq").out
    build(hyperbox, "-t", "built-archive", "-o", "type=oci,dest=image.tar", ".")
    assert hyperbox("images", "-aq").out == before
    hyperbox("load", "-i", "image.tar")
    assert hyperbox("history", "-q", "built-archive").out
    hyperbox("rmi", "-f", "built-archive")


def test_removing_images_and_cache_frees_what_nothing_uses(hyperbox: Command, busybox: str, tmp_path: Path) -> None:
    """A result stays in the cache without its image, an image works without the cache, and without both the layer is gone."""
    write(tmp_path, {"Dockerfile": f"FROM {busybox}\nRUN echo {os.urandom(8).hex()} > /unique\n"})
    build(hyperbox, "-t", "built-gone", ".")
    layer = json.loads(hyperbox("image", "inspect", "built-gone").out)[0]["RootFS"]["Layers"][-1]
    folder = f"{DATA}/images/layers/{layer[7:31]}"
    hyperbox("rmi", "built-gone")
    assert os.path.isdir(folder)
    assert len(cached(build(hyperbox, "-t", "built-gone", "."))) == 1
    hyperbox("builder", "prune", "-af")
    assert hyperbox("run", "--rm", "built-gone", "cat", "/unique").out
    hyperbox("rmi", "built-gone")
    assert not os.path.exists(folder)
    assert cached(build(hyperbox, ".")) == []


def test_a_layer_that_came_with_an_archive_stays_whole_in_the_cache(
    hyperbox: Command, busybox: str, tmp_path: Path
) -> None:
    write(tmp_path, {"file": "x", "Dockerfile": "FROM scratch\nCOPY file /file\n"})
    archive = str(tmp_path / "image.tar")
    build(hyperbox, "-t", "whole", str(tmp_path))
    hyperbox("save", "-o", archive, "whole")
    hyperbox("rmi", "whole")
    hyperbox("builder", "prune", "-af")
    hyperbox("load", "-i", archive)
    build(hyperbox, "-t", "whole", str(tmp_path))
    hyperbox("rmi", "-f", "whole")
    hyperbox("image", "prune", "-f")  # the image of the archive, where the build made another
    assert cached(build(hyperbox, "-t", "whole", str(tmp_path))) == ["COPY file /file"]
    hyperbox("save", "-o", archive, "whole")
    hyperbox("rmi", "whole")


def test_a_cache_goes_through_a_folder_and_through_a_registry(
    hyperbox: Command, busybox: str, tmp_path: Path, registry: str
) -> None:
    write(
        tmp_path,
        {
            "Dockerfile": f"FROM {busybox} AS b\nCOPY f /f\nRUN cat /f > /g\nFROM {busybox}\nCOPY --from=b /g /g\nRUN cat /g\n",
            "f": os.urandom(8).hex(),
        },
    )
    for target, source in (
        ("type=local,dest=cache,mode=max", "type=local,src=cache"),
        (f"type=registry,ref={registry}/hb/cache:x", f"type=registry,ref={registry}/hb/cache:x"),
    ):
        build(hyperbox, "--cache-to", target, ".")
        hyperbox("image", "prune", "-f")
        hyperbox("builder", "prune", "-af")
        progress = build(hyperbox, "--cache-from", source, ".")
        assert {"COPY --from=b /g /g", "RUN cat /g"} <= set(cached(progress)), progress


def test_a_built_image_is_pushed_and_pulled(hyperbox: Command, busybox: str, tmp_path: Path, registry: str) -> None:
    write(tmp_path, {"Dockerfile": f"FROM {busybox}\nRUN echo pushed > /p\n"})
    name = f"{registry}/hb/built:1"
    build(hyperbox, "-t", name, "--push", ".")
    hyperbox("rmi", "-f", name)
    hyperbox("builder", "prune", "-af")
    assert hyperbox("run", "--rm", name, "cat", "/p").out == "pushed\n"
    hyperbox("rmi", "-f", name)


def test_the_same_epoch_gives_the_same_image(hyperbox: Command, busybox: str, tmp_path: Path) -> None:
    write(tmp_path, {"Dockerfile": f"FROM {busybox}\nRUN echo x > /x\nCOPY f /d/f\nWORKDIR /w\n", "f": "f"})
    words = ["--no-cache", "--build-arg", "SOURCE_DATE_EPOCH=1000000000", "-o", "type=image,rewrite-timestamp=true"]
    images = []
    for _ in range(2):
        os.utime(tmp_path / "f")
        build(hyperbox, *words, "-t", "built-epoch", ".")
        images.append(hyperbox("image", "inspect", "-f", "{{.Id}} {{.Created}}", "built-epoch").out)
    assert images[0] == images[1]
    assert images[0].endswith(" 2001-09-09T01:46:40Z\n")
    hyperbox("rmi", "-f", "built-epoch")


def test_parents_keep_the_folders_of_their_sources(hyperbox: Command, busybox: str, tmp_path: Path) -> None:
    files = {"x/a/f": "f", "y/b/g": "g", "y/b/h.z": "h", "k.z": "k", "y/n": "n"}
    write(
        tmp_path,
        {"Dockerfile": f"FROM {busybox}\nCOPY --parents x/a/f y/./b/g /p/\nCOPY --parents **/*.z /q/\n", **files},
    )
    build(hyperbox, "-t", "built-parents", ".")
    found = hyperbox("run", "--rm", "built-parents", "find", "/p", "/q", "-type", "f").out.split()
    assert sorted(found) == ["/p/b/g", "/p/x/a/f", "/q/k.z", "/q/y/b/h.z"]
    hyperbox("rmi", "-f", "built-parents")


def test_a_repository_is_a_context_and_a_source(hyperbox: Command, busybox: str, tmp_path: Path) -> None:
    """A commit by its id, a subfolder, and a checksum of a single file, over plain http."""
    if shutil.which("git") is None:
        pytest.skip("git is not installed")
    source = tmp_path / "source"
    write(source, {"f": "one", "sub/g": "sub", "Dockerfile": f"FROM {busybox}\nCOPY . /c\nRUN test ! -e /c/.git\n"})
    git = ["git", "-C", str(source), "-c", "user.name=x", "-c", "user.email=x@y"]
    for words in (["init", "-q", "-b", "main"], ["add", "."], ["commit", "-qm", "1"]):
        subprocess.run([*git, *words], check=True)
    first = subprocess.run([*git, "rev-parse", "HEAD"], check=True, capture_output=True, text=True).stdout.strip()
    write(source, {"f": "two"})
    subprocess.run([*git, "commit", "-qam", "2"], check=True)
    subprocess.run(["git", "clone", "-q", "--bare", str(source), str(tmp_path / "r.git")], check=True)
    subprocess.run(["git", "-C", str(tmp_path / "r.git"), "update-server-info"], check=True)
    handler = functools.partial(QuietHandler, directory=str(tmp_path))
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        url = f"http://127.0.0.1:{server.server_port}/r.git"
        wrong = "0" * 64
        write(
            tmp_path / "context",
            {
                "Dockerfile": f"FROM {busybox}\nADD {url}#{first} /old\nADD {url}#main:sub /sub\nRUN cat /old/f /sub/g > /all\n",
                "bad": f"FROM {busybox}\nADD --checksum=sha256:{wrong} {url}/HEAD /h\n",
            },
        )
        build(hyperbox, "-t", "built-git", "context")
        build(hyperbox, f"{url}#main")
        assert "digest mismatch" in build(hyperbox, "-f", "context/bad", "context", code=1)
        server.shutdown()
    assert hyperbox("run", "--rm", "built-git", "cat", "/all").out == "onesub"
    hyperbox("rmi", "-f", "built-git")


class QuietHandler(http.server.SimpleHTTPRequestHandler):
    """Serves a folder and logs nothing."""

    def log_message(self, format: str, *arguments: object) -> None:
        return


def test_an_agent_is_reached_through_a_socket_of_the_step(hyperbox: Command, busybox: str, tmp_path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as agent:
        agent.bind(str(tmp_path / "agent"))
        agent.listen()
        write(
            tmp_path,
            {
                "Dockerfile": f'FROM {busybox}\nRUN --mount=type=ssh,mode=640,uid=5 stat -c "%F %a %u" $SSH_AUTH_SOCK > /s\nRUN env > /e\n'
            },
        )
        build(hyperbox, "--ssh", f"default={tmp_path}/agent", "-t", "built-ssh", ".")
    assert hyperbox("run", "--rm", "built-ssh", "cat", "/s").out == "socket 640 5\n"
    assert "SSH" not in hyperbox("run", "--rm", "built-ssh", "cat", "/e").out
    hyperbox("rmi", "-f", "built-ssh")


def test_builds_of_several_threads_do_not_meet(busybox: str, tmp_path: Path) -> None:
    """Each call of the builder from a process with threads succeeds, tells its own events, and a failure keeps its words."""
    program = """
import sys, threading
from hyperbox.build import api
from hyperbox.engine.state import Roots
roots, folder, answers = Roots(*sys.argv[1:4]), sys.argv[4], {}
def one(number):
    heard = []
    request = api.BuildRequest(api.Source("folder", folder), build_args=(("N", str(number)),), tags=("built-thread",), no_cache=True)
    try:
        api.build(roots, request, heard.append)
        answers[number] = "".join(event.data.decode() for event in heard if isinstance(event, api.Log))
    except api.BuildFailed as error:
        answers[number] = error.message
threads = [threading.Thread(target=one, args=(number,)) for number in range(6)]
[thread.start() for thread in threads]
[thread.join() for thread in threads]
print([answers[number] for number in range(6)])
"""
    write(tmp_path, {"Dockerfile": f"FROM {busybox}\nRUN true\nARG N\nRUN echo $N; [ $N != 5 ]\n"})
    python = Path(command_under_test()[0]).with_name("python")
    argv = [str(python), "-c", program, DATA, RUN, CGROUP, str(tmp_path)]
    done = subprocess.run(argv, capture_output=True, text=True, check=True, timeout=100)
    words = 'failed to solve: process "/bin/sh -c echo $N; [ $N != 5 ]" did not complete successfully: exit code: 1'
    expected = [*(f"{number}\n" for number in range(5)), words]
    assert done.stdout == f"{expected}\n", done.stderr
    subprocess.run([*command_under_test(), "rmi", "-f", "built-thread"], check=True, capture_output=True)
