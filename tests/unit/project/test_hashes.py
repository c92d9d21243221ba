"""The hashes on the labels of containers, networks and volumes against what docker compose 2.40 labels its own with."""

from __future__ import annotations

from pathlib import Path

from hyperbox.compose.load import load
from hyperbox.compose.model import Json, LoadOptions
from hyperbox.project.desired import Desired, container_labels, earlier_hash, hash_of_container, project_to_desired

FILE = """
services:
  a:
    image: busybox
    command: sleep 100
    environment: {A: "1", B: }
    env_file: [x.env]
    labels: {l: v}
    volumes: [dd:/d]
    networks: [n]
    init: true
    depends_on: [b]
    develop: {watch: [{path: /, target: /x, action: sync}]}
  b:
    image: busybox
    command: sleep 100
    scale: 2
  c:
    image: busybox
    command: sleep 100
    network_mode: service:b
    volumes_from: ["b:ro", "container:other:ro"]
networks: {n: {labels: {q: r}}}
volumes: {dd: {labels: {q: r}, driver_opts: {}}}
"""
# what docker compose labelled them with; that of `a` has the variables of its env file in it
RECORDED = {
    "a": "20bbe6605cf93239b53ac2d601b4c646ab7dcbc38c619ad20bd5e0a830a6836e",
    "b": "32a54e5939835da9c769b5bf44c1e1eb1cdaf8d31b2a579efd4c28849dce2610",
    "network n": "a6c3bde82a7abb14ebdc1957254e73b72cad2abeec1d50b39e9e5679c40db7e0",
    "network default": "47953c874dba66a8c1afbb80f175531f9078de477d73e55371aa041a28e362d1",
    "volume dd": "ab2068f9ef1029a07e016d6dd8c916145ca3520860145c4d998f61ca63a4957f",
}
HASH = "com.docker.compose.config-hash"


def desired(folder: Path, **options: object) -> Desired:
    (folder / "compose.yaml").write_text(f"name: comp1lab\n{FILE}")
    (folder / "x.env").write_text("C=3\n")
    project = load(LoadOptions(working_dir=str(folder), **options))  # type: ignore[arg-type]
    return project_to_desired(project, "comp1lab")


def labels_of(body: Json) -> dict[str, str]:
    labels = body["Labels"]
    assert isinstance(labels, dict)
    return labels


def test_labels_have_docker_composes_hashes(tmp_path: Path) -> None:
    wanted = desired(tmp_path)
    found = {name: container_labels(wanted, wanted.services[name], 1, "")[HASH] for name in ("a", "b")}
    found |= {f"network {key}": labels_of(wish.body)[HASH] for key, wish in wanted.networks.items()}
    found |= {f"volume {key}": labels_of(wish.body)[HASH] for key, wish in wanted.volumes.items()}
    assert found == RECORDED


def test_a_container_that_shares_anothers_namespace_has_its_id_in_the_hash(tmp_path: Path) -> None:
    wanted = desired(tmp_path)
    sharing = wanted.services["c"]
    one, other = hash_of_container(sharing, {"b": "1" * 64}), hash_of_container(sharing, {"b": "2" * 64})
    assert len({one, other, sharing.config_hash}) == 3
    assert container_labels(wanted, sharing, 1, "", container_ids={"b": "1" * 64})[HASH] == one
    assert sharing.made_with(one, {"b": "1" * 64})
    assert not sharing.made_with(one, {"b": "2" * 64})


def test_what_was_labelled_with_the_earlier_hash_stays(tmp_path: Path) -> None:
    wanted = desired(tmp_path)
    wish = wanted.services["a"]
    assert wish.made_with(earlier_hash(wish.definition), {})
    assert not wish.made_with("", {})
    for resource in (*wanted.networks.values(), *wanted.volumes.values()):
        assert resource.made_with(resource.earlier_hash)
        assert not resource.made_with("")


def test_the_env_files_given_are_on_the_label(tmp_path: Path) -> None:
    label = "com.docker.compose.project.environment_file"
    wanted = desired(tmp_path)
    assert label not in container_labels(wanted, wanted.services["b"], 1, "")
    wanted = desired(tmp_path, env_files=("x.env", f"{tmp_path}/x.env"))
    assert container_labels(wanted, wanted.services["b"], 1, "")[label] == f"{tmp_path}/x.env,{tmp_path}/x.env"
    wanted = desired(tmp_path, environment={"COMPOSE_ENV_FILES": "x.env"})
    assert container_labels(wanted, wanted.services["b"], 1, "")[label] == f"{tmp_path}/x.env"
