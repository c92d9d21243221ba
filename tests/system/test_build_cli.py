"""docker build around the solver: hostile contexts, outputs, files that it writes, forms of progress, what builds leave and its removal."""

from __future__ import annotations

import json
import os
import secrets
import socket
import tarfile
from pathlib import Path

import pytest

from tests.conftest import Command, wait_until


def context(folder: Path, dockerfile: str, **files: str) -> Path:
    """Make a context of a Dockerfile and files."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "Dockerfile").write_text(dockerfile)
    for name, content in files.items():
        (folder / name).write_text(content)
    return folder


def content_of(hyperbox: Command, image: str, path: str) -> str:
    return hyperbox("run", "--rm", image, "cat", path).out


def test_links_of_a_context_never_lead_out_of_it(hyperbox: Command, busybox: str, tmp_path: Path) -> None:
    secret = tmp_path / "secret"
    secret.write_text("outside\n")
    folder = context(tmp_path / "ctx", f"FROM {busybox}\nCOPY tree /tree\n", plain="p")
    (folder / "tree").mkdir()
    (folder / "tree" / "up").symlink_to("../../secret")
    (folder / "tree" / "absolute").symlink_to(secret)
    hyperbox("build", "-q", "-t", "hb-links", str(folder))
    assert hyperbox("run", "--rm", "hb-links", "readlink", "/tree/up").out == "../../secret\n"
    assert hyperbox("run", "--rm", "hb-links", "cat", "/tree/absolute", code=1).out == ""
    for source in ("tree/up", "link/secret", "../secret", "tree/../../secret"):
        (folder / "link").unlink(missing_ok=True)
        (folder / "link").symlink_to("..")
        context(folder, f"FROM {busybox}\nCOPY {source} /got\n")
        result = hyperbox("build", "-q", "-t", "hb-links", str(folder), code=1)
        assert "outside" not in result.out + result.err
        assert "not found" in result.err
    hyperbox("image", "rm", "hb-links")


def test_special_files_of_a_context_do_not_block_a_build(hyperbox: Command, busybox: str, tmp_path: Path) -> None:
    folder = context(tmp_path / "ctx", f"FROM {busybox}\nCOPY . /all\nRUN ls /all > /list\n", plain="p")
    os.mkfifo(folder / "fifo")
    os.mknod(folder / "null", 0o020666, os.makedev(1, 3))
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(folder / "sock"))
        hyperbox("build", "-q", "-t", "hb-special", str(folder), timeout=60)
    assert "plain" in content_of(hyperbox, "hb-special", "/list")
    hyperbox("image", "rm", "hb-special")


def test_a_hostile_tar_stays_inside(hyperbox: Command, busybox: str, tmp_path: Path) -> None:
    import io

    path = tmp_path / "context.tar"
    with tarfile.open(path, "w") as archive:

        def add(name: str, data: bytes = b"x", link: str = "") -> None:
            member = tarfile.TarInfo(name)
            if link:
                member.type, member.linkname = tarfile.SYMTYPE, link
                archive.addfile(member)
                return
            member.size = len(data)
            archive.addfile(member, io.BytesIO(data))

        add("Dockerfile", f"FROM {busybox}\nCOPY . /all\n".encode())
        add("../../../../../../tmp/hb-escaped")
        add("out", link="/")
        add("out/tmp/hb-escaped-too")
    hyperbox("build", "-q", "-t", "hb-hostile", "-", input=path.read_bytes(), code=None)
    assert not Path("/tmp/hb-escaped").exists()
    assert not Path("/tmp/hb-escaped-too").exists()
    hyperbox("image", "rm", "hb-hostile", code=None)


def test_outputs_and_the_files_that_a_build_writes(hyperbox: Command, busybox: str, tmp_path: Path) -> None:
    folder = context(
        tmp_path / "ctx", f"FROM {busybox} AS b\nRUN echo made > /made\nFROM scratch\nCOPY --from=b /made /\n"
    )
    flags = ["--iidfile", "id", "--metadata-file", "facts.json", "-t", "hb-outputs:1", "-t", "hb-outputs:2"]
    hyperbox("build", *flags, str(folder))
    identifier = (tmp_path / "id").read_text()
    assert hyperbox("image", "inspect", "-f", "{{.Id}}", "hb-outputs:2").out.strip() == identifier
    facts = json.loads((tmp_path / "facts.json").read_text())
    assert facts["containerimage.config.digest"] == identifier
    assert facts["image.name"] == "docker.io/library/hb-outputs:1,docker.io/library/hb-outputs:2"
    hyperbox("build", "-o", "files", str(folder))
    assert (tmp_path / "files" / "made").read_text() == "made\n"
    for kind in ("oci", "docker", "tar"):
        hyperbox("build", "-t", "hb-outputs:1", "-o", f"type={kind},dest={kind}.tar", str(folder))
        with tarfile.open(tmp_path / f"{kind}.tar") as archive:
            names = archive.getnames()
        assert ("made" in names) if kind == "tar" else ("index.json" in names)
    hyperbox("image", "rm", "hb-outputs:1", "hb-outputs:2")
    assert "hb-outputs:1" in hyperbox("load", "-i", "docker.tar").out
    hyperbox("image", "rm", "hb-outputs:1")


def test_every_form_of_the_command_builds(hyperbox: Command, busybox: str, tmp_path: Path) -> None:
    folder = context(tmp_path / "ctx", f"FROM {busybox}\nENV A=1\n")
    for words in (["build"], ["image", "build"], ["builder", "build"], ["buildx", "build"], ["buildx", "b"]):
        assert hyperbox(*words, "-q", str(folder)).out.startswith("sha256:")


def test_raw_progress_is_json_of_known_shape(hyperbox: Command, busybox: str, tmp_path: Path) -> None:
    folder = context(tmp_path / "ctx", f"FROM {busybox}\nRUN echo raw-$RANDOM\n")
    lines = [
        json.loads(line) for line in hyperbox("build", "--progress=rawjson", "--no-cache", str(folder)).err.splitlines()
    ]
    vertices = [vertex for line in lines for vertex in line.get("vertexes", [])]
    assert all(vertex["digest"].startswith("sha256:") for vertex in vertices)
    assert any(vertex["name"].startswith("[2/2] RUN") and "completed" in vertex for vertex in vertices)
    assert any("logs" in line for line in lines)


def test_secrets_reach_the_step_and_nothing_else(hyperbox: Command, busybox: str, tmp_path: Path) -> None:
    folder = context(
        tmp_path / "ctx", f"FROM {busybox}\nRUN --mount=type=secret,id=key test $(wc -c < /run/secrets/key) = 24\n"
    )
    hidden = secrets.token_hex(12)
    (tmp_path / "key").write_text(hidden)
    result = hyperbox("build", "--secret", "id=key,src=key", "-t", "hb-secret", str(folder))
    image = hyperbox("save", "hb-secret").out_bytes
    assert hidden.encode() not in image
    assert hidden not in result.err
    found = [
        path
        for path in Path(os.environ["HYPERBOX_DATA"]).rglob("*")
        if path.is_file()
        and not path.is_symlink()
        and path.stat().st_size < 1 << 20
        and hidden.encode() in path.read_bytes()
    ]
    assert found == []
    hyperbox("image", "rm", "hb-secret")


def test_the_cache_is_listed_counted_and_pruned(hyperbox: Command, busybox: str, tmp_path: Path) -> None:
    folder = context(tmp_path / "ctx", f"FROM {busybox}\nRUN head -c 100000 /dev/urandom > /data\n")
    hyperbox("build", "-q", str(folder))
    records = [json.loads(line) for line in hyperbox("buildx", "du", "--format", "json").out.splitlines()]
    assert any("head -c 100000" in str(record["Description"]) for record in records)
    row = next(line for line in hyperbox("system", "df").out.splitlines() if line.startswith("Build Cache"))
    assert int(row.split()[2]) == len(records)
    assert "Total:" in hyperbox("builder", "prune", "-af").out
    assert hyperbox("buildx", "du", "--format", "json").out == ""
    assert "CACHED" not in hyperbox("build", "--progress=plain", str(folder)).err


def test_prune_asks_first(hyperbox: Command) -> None:
    assert "Are you sure you want to continue? [y/N]" in hyperbox("builder", "prune", input="n\n").out


def test_an_interrupted_build_ends_at_once_and_leaves_no_process(
    hyperbox: Command, busybox: str, tmp_path: Path
) -> None:
    import signal

    folder = context(tmp_path / "ctx", f"FROM {busybox}\nRUN echo begun && sleep 4321\n")
    running = hyperbox.start("build", "--progress=plain", str(folder))
    assert running.stderr is not None
    seen = b""
    while b" begun" not in seen.replace(b"echo begun", b""):
        data = os.read(running.stderr.fileno(), 4096)
        assert data, seen
        seen += data
    running.send_signal(signal.SIGINT)
    assert running.wait(timeout=20) != 0
    running.stdin.close()  # type: ignore[union-attr]

    def gone() -> bool:
        for entry in Path("/proc").glob("[0-9]*/cmdline"):
            try:
                if entry.read_bytes() == b"sleep\x004321\x00":
                    return False
            except OSError:
                continue
        return True

    wait_until(gone)


def test_what_can_not_be_done_is_refused_in_one_sentence(hyperbox: Command, tmp_path: Path) -> None:
    folder = context(tmp_path / "ctx", "FROM scratch\nENV A=1\n")
    for flags, words in (
        (["--allow", "security.insecure"], "granting entitlement security.insecure is not allowed"),
        (["--builder", "other"], 'no builder "other" found'),
        (["--network", "mine"], 'network mode "mine"'),
    ):
        result = hyperbox("build", *flags, str(folder), code=1)
        assert words in result.err
        assert len(result.err.strip().splitlines()) == 1
    more = "Switch to a different driver, or turn on the containerd image store, and try again.\nLearn more at https://docs.docker.com/go/"
    for flags, words, page in (
        (["--sbom=true"], "Attestation", "attestations"),
        (["--platform", "linux/amd64,linux/arm64"], "Multi-platform build", "build-multi-platform"),
    ):
        expected = f"ERROR: failed to build: {words} is not supported for the docker driver.\n{more}{page}/\n"
        assert hyperbox("build", *flags, str(folder), code=1).err == expected
    for flags in (["--driver", "kubernetes"], ["--driver", "remote", "tcp://127.0.0.1:1"], ["tcp://127.0.0.1:1"]):
        assert "on this machine" in hyperbox("buildx", "create", "--name", "elsewhere", *flags, code=1).err


def test_a_builder_that_was_made_keeps_its_result_in_the_cache_unless_asked(
    hyperbox: Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("BUILDX_CONFIG", str(tmp_path / "buildx"))
    folder = str(context(tmp_path / "ctx", "FROM scratch\nCOPY Dockerfile /x\n"))
    tag = f"hb-builder-{secrets.token_hex(4)}"
    assert hyperbox("buildx", "create", "--use", "--name", "ci", "--driver", "docker-container").out == "ci\n"
    only = hyperbox("buildx", "build", "-t", tag, folder)
    assert '#0 building with "ci" instance using docker-container driver' in only.err
    assert "No output specified with docker-container driver" in only.err
    assert hyperbox("images", "-q", tag).out == ""
    facts = tmp_path / "facts"
    loaded = hyperbox("buildx", "build", "--load", "-t", tag, "--metadata-file", str(facts), folder)
    assert "No output" not in loaded.err
    assert hyperbox("images", "-q", tag).out != ""
    assert json.loads(facts.read_text())["buildx.build.ref"].startswith("ci/ci0/")
    hyperbox("rmi", tag)
    # docker build is not buildx build: it does not ask for the builder in use
    assert "No output" not in hyperbox("build", "-t", tag, folder).err
    hyperbox("rmi", tag)
    rows = hyperbox("buildx", "ls", "--format", "{{.Name}} {{.Status}}").out.splitlines()
    assert rows == ["ci ", "ci0 running", "default ", "default running"]
    hyperbox("buildx", "stop")
    assert "Status:                stopped" in hyperbox("buildx", "inspect", "ci").out
    again = hyperbox("buildx", "inspect", "--bootstrap")
    assert again.err == "#1 [internal] booting buildkit\n#1 DONE 0.0s\n"
    assert hyperbox("buildx", "rm", "ci").err == "ci removed\n"
    assert '#0 building with "default" instance' in hyperbox("buildx", "build", "-o", "type=cacheonly", folder).err


def test_a_builder_that_loads_by_default(hyperbox: Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BUILDX_CONFIG", str(tmp_path / "buildx"))
    folder = str(context(tmp_path / "ctx", "FROM scratch\nCOPY Dockerfile /x\n"))
    tag = f"hb-builder-{secrets.token_hex(4)}"
    hyperbox("buildx", "create", "--name", "ci", "--driver-opt", "default-load=true")
    assert "No output" not in hyperbox("buildx", "build", "--builder", "ci", "-t", tag, folder).err
    hyperbox("rmi", tag)


BAKE = """\
variable "GREETING" {{
  default = "hello"
}}
group "default" {{
  targets = ["app", "export"]
}}
target "base" {{
  dockerfile-inline = "FROM {image}\\nARG WORDS\\nRUN echo $WORDS > /words\\n"
  args = {{ WORDS = "${{GREETING}} from base" }}
}}
target "app" {{
  contexts = {{ below = "target:base" }}
  dockerfile-inline = "FROM below\\nRUN cat /words /words > /twice\\n"
  tags = ["hb-bake-app", "hb-bake-app:second"]
  labels = {{ made = "by ${{upper("bake")}}" }}
}}
target "export" {{
  contexts = {{ below = "target:base" }}
  dockerfile-inline = "FROM scratch\\nCOPY --from=below /words /\\n"
  output = ["out"]
}}
target "broken" {{
  dockerfile-inline = "FROM {image}\\nRUN exit 3\\n"
}}
"""


def test_bake_builds_linked_targets_once_and_keeps_what_has_a_name(
    hyperbox: Command, busybox: str, tmp_path: Path
) -> None:
    (tmp_path / "docker-bake.hcl").write_text(BAKE.format(image=busybox))
    before = set(hyperbox("images", "-aq", "--no-trunc").out.split())
    built = hyperbox("buildx", "bake", "--metadata-file", "facts.json", folder=tmp_path, env={"GREETING": "hi"})
    assert (
        built.err.count("[base 2/2] RUN echo $WORDS > /words\n") <= 2
    )  # its head, and once more where another step came between
    assert built.err.index("[base 2/2]") < built.err.index("[app 1/2]")
    assert "[base] exporting" not in built.err
    assert content_of(hyperbox, "hb-bake-app:second", "/twice") == "hi from base\n" * 2
    assert (tmp_path / "out" / "words").read_text() == "hi from base\n"
    facts = json.loads((tmp_path / "facts.json").read_text())
    made = hyperbox("inspect", "--format", "{{.Id}} {{.Config.Labels.made}}", "hb-bake-app").out.split(maxsplit=1)
    assert made == [facts["app"]["containerimage.config.digest"], "by BAKE\n"]
    assert set(hyperbox("images", "-aq", "--no-trunc").out.split()) - before == {made[0]}
    assert "containerimage.digest" not in facts["base"]
    hyperbox("image", "rm", "hb-bake-app", "hb-bake-app:second")


def test_bake_names_the_target_that_fails_and_asks_before_it_leaves_its_folder(
    hyperbox: Command, busybox: str, tmp_path: Path
) -> None:
    folder = tmp_path / "in"
    folder.mkdir()
    (folder / "docker-bake.hcl").write_text(BAKE.format(image=busybox))
    failed = hyperbox("buildx", "bake", "broken", "export", code=1, folder=folder).err
    assert "[broken 2/2] RUN exit 3" in failed
    assert failed.endswith(
        'ERROR: target broken: failed to solve: process "/bin/sh -c exit 3" did not complete successfully: exit code: 3\n'
    )
    outside = hyperbox("buildx", "bake", "--set", "export.context=..", "export", code=1, folder=folder).err
    assert 'Pass "--allow=fs.read=.." to grant requested privileges.' in outside
    assert outside.endswith("ERROR: additional privileges requested\n")
    assert (
        hyperbox("buildx", "bake", "--set", "export.context=..", "--allow", "fs.read=..", "export", folder=folder).code
        == 0
    )
