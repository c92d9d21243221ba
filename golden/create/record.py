"""Record what docker compose makes of each service of compose.yaml.

    python3 golden/create/record.py --run "COMMAND THAT RUNS A SHELL BESIDE DOCKER" --image IMAGE [--folder FOLDER]

IMAGE is any image that Engine has, without an environment of its own; FOLDER is visible to both sides.
"""

from __future__ import annotations

import argparse
import json
import os
import shlex
import shutil
import subprocess

HERE = os.path.dirname(os.path.abspath(__file__))
PROJECT = "spec-cases"
CONFIG = ("AttachStderr", "AttachStdout", "Cmd", "Env", "ExposedPorts", "Healthcheck", "StopTimeout", "Tty")
HOST_CONFIG = (
    "Binds", "BlkioDeviceReadBps", "CapAdd", "CapDrop", "Devices", "Dns", "DnsOptions", "DnsSearch", "ExtraHosts", "Init", "Links", "Memory",
    "MemoryReservation", "Mounts", "NanoCpus", "PidsLimit", "RestartPolicy", "SecurityOpt", "ShmSize", "Sysctls", "Tmpfs", "Ulimits",
)  # fmt: skip
SCRIPT = """
cd {folder} && IMAGE={image} docker-compose -p {project} create >/dev/null 2>create.err
docker ps -aq --filter label=com.docker.compose.project={project} | xargs docker inspect >inspect.json
IMAGE={image} docker-compose -p {project} down -v >/dev/null 2>&1
"""


def shown(container: dict, folder: str) -> dict:
    """Return the part of an inspected container that is compared, without the folder's name."""
    networks = container["NetworkSettings"]["Networks"].values()
    part = {
        "Config": {key: container["Config"].get(key) for key in CONFIG},
        "HostConfig": {key: container["HostConfig"].get(key) for key in HOST_CONFIG},
        "Links": [network["Links"] for network in networks],
        "IPAMConfig": [network["IPAMConfig"] for network in networks],
    }
    return json.loads(json.dumps(part).replace(folder, "{dir}"))


def main() -> None:
    """Make the containers, look at them, remove them."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--run", required=True)
    parser.add_argument("--image", required=True)
    parser.add_argument("--folder", default="/tmp/create-cases")
    options = parser.parse_args()
    shutil.rmtree(options.folder, ignore_errors=True)
    shutil.copytree(HERE, options.folder)
    words = {"folder": options.folder, "image": options.image, "project": PROJECT}
    script = SCRIPT.format(**{key: shlex.quote(value) for key, value in words.items()})
    subprocess.run([*shlex.split(options.run), "bash", "-c", script], check=True)
    with open(f"{options.folder}/inspect.json", encoding="utf-8") as file:
        containers = json.load(file)
    recorded = {
        container["Config"]["Labels"]["com.docker.compose.service"]: shown(container, options.folder)
        for container in containers
    }
    with open(f"{HERE}/recorded.json", "w", encoding="utf-8") as file:
        json.dump(recorded, file, indent=1, sort_keys=True)
        file.write("\n")
    print(f"{len(recorded)} services")


if __name__ == "__main__":
    main()
