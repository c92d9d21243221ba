"""What is remembered of networks, and which addresses they have.

    DATA/networks/ID.json                 a network as `GET /networks/{id}` shows it, without Containers, plus "Bridge": its link's name
    DATA/networks/names/NAME              claim: symbolic link to the id; made after the record, so a name always leads to one
    DATA/networks/lock                    held while a network is made or removed
    RUN/networks/lock                     held while rules or a bridge are laid
    RUN/networks/ID/ADDRESS               claim on an address: symbolic link to "CONTAINER PID START" (the process that set it up)
    RUN/networks/ID/removing              the same of a command that looks whether it may remove the network: who has claimed waits for its answer
    RUN/networks/ID/CONTAINER.json        an endpoint: the API's EndpointSettings, plus "Names" for DNS
    RUN/networks/containers/ID.json       what a container holds: networks, ports, descriptors; see `network_setup`

RUN goes with a reboot, and with it all claims. Lock order: DATA's before RUN's. Hot paths read one record and one name.
"""

from __future__ import annotations

import os

from hyperbox import files
from hyperbox.engine.state import now
from hyperbox.errors import Conflict, EmptyName, EngineError, NotFound

TYPE_CHECKING = False
if TYPE_CHECKING:
    from hyperbox.engine.state import Roots

    Json = dict[str, object]

REMOVING = "removing"
PREDEFINED = ("bridge", "host", "none")
POOL = ("10.89.0.0", 16)
DEFAULT_BRIDGE_SUBNET = ("172.17.0.0", 16)


def folder(roots: Roots) -> str:
    """Return the folder of the records."""
    return f"{roots.data}/networks"


def run_folder(roots: Roots, network_id: str) -> str:
    """Return the folder of a network's claims and endpoints."""
    return f"{roots.run}/networks/{network_id}"


def prepare(roots: Roots) -> None:
    """Make the folders and the predefined networks where they are missing."""
    base = folder(roots)
    if not os.path.islink(f"{base}/names/none"):
        os.makedirs(f"{base}/names", 0o711, exist_ok=True)
        from hyperbox.engine.network_manage import make_predefined

        make_predefined(roots)
    if not os.path.isdir(f"{roots.run}/networks/containers"):
        os.makedirs(f"{roots.run}/networks/containers", 0o711, exist_ok=True)


def read(roots: Roots, network_id: str) -> Json:
    """Return a network's record by its full id. Raises NotFound."""
    try:
        record = files.read_json(f"{folder(roots)}/{network_id}.json")
    except (OSError, ValueError):
        raise NotFound(f"network {network_id} not found") from None
    assert isinstance(record, dict)
    return record


def identifiers(roots: Roots) -> list[str]:
    """Return the ids of all networks."""
    return [name[:-5] for name in os.listdir(folder(roots)) if name.endswith(".json")]


def find(roots: Roots, reference: str) -> Json:
    """Return the network that a name, an id or the beginning of one means. Raises NotFound, Conflict for several."""
    prepare(roots)
    if reference == "default":
        reference = "bridge"
    if reference and "/" not in reference and reference not in (".", ".."):
        owner = files.claim_owner(f"{folder(roots)}/names/{reference}")
        if owner is not None:
            return read(roots, owner)
        matches = [network_id for network_id in identifiers(roots) if network_id.startswith(reference)]
        if len(matches) == 1:
            return read(roots, matches[0])
        if matches:
            raise Conflict(f"network {reference} is ambiguous ({len(matches)} matches found on ID prefix)")
    refuse_empty(reference)
    raise NotFound(f"network {reference} not found")


def refuse_empty(reference: str) -> None:
    """Raise EmptyName for a network's name of nothing, or of blanks."""
    if not reference.strip():
        raise EmptyName("network")


def all_networks(roots: Roots) -> list[Json]:
    """Return all networks in no order."""
    prepare(roots)
    found = []
    for network_id in identifiers(roots):
        try:
            record = read(roots, network_id)
        except NotFound:
            continue
        if files.claim_owner(f"{folder(roots)}/names/{record['Name']}") == network_id:
            found.append(record)
    return found


def forget_nameless(roots: Roots) -> None:
    """Remove the records of networks whose making or removal was killed half-way; the caller holds DATA/networks/lock."""
    files.sweep_temporaries(folder(roots))
    whole = {record["Id"] for record in all_networks(roots)}
    for network_id in identifiers(roots):
        if network_id not in whole:
            files.remove_tree(f"{folder(roots)}/{network_id}.json")
            files.remove_tree(run_folder(roots, network_id))


def write(roots: Roots, record: Json) -> None:
    """Keep a network, then give it its name; the caller holds DATA/networks/lock and knows that the name is free."""
    path = f"{folder(roots)}/{record['Id']}.json"
    files.write_json(path, record, durable=True)
    roots.reached("network-recorded")
    files.claim(f"{folder(roots)}/names/{record['Name']}", str(record["Id"]))


def forget(roots: Roots, record: Json) -> None:
    """Remove a network's name and record."""
    name = f"{folder(roots)}/names/{record['Name']}"
    if files.claim_owner(name) == record["Id"]:
        os.unlink(name)
    roots.reached("network-unnamed")
    files.remove_tree(f"{folder(roots)}/{record['Id']}.json")
    files.remove_tree(run_folder(roots, str(record["Id"])))


def subnets(record: Json) -> list[tuple[str, int, str, Json]]:
    """Return (network, prefix length, gateway, the whole entry) of each of a network's subnets; gateway "" where it has none."""
    ipam = record.get("IPAM")
    entries = ipam.get("Config") if isinstance(ipam, dict) else None
    found: list[tuple[str, int, str, Json]] = []
    for entry in entries or ():
        address, _, length = str(entry["Subnet"]).partition("/")
        found.append((address, int(length), str(entry.get("Gateway") or ""), entry))
    return found


def new_record(name: str, driver: str, **fields: object) -> Json:
    """Return a network as the API shows it."""
    return {
        "Name": name,
        "Id": os.urandom(32).hex(),
        "Created": now(),
        "Scope": "local",
        "Driver": driver,
        "EnableIPv4": True,
        "EnableIPv6": False,
        "IPAM": {"Driver": "default", "Options": None, "Config": []},
        "Internal": False,
        "Attachable": False,
        "Ingress": False,
        "ConfigFrom": {"Network": ""},
        "ConfigOnly": False,
        "Options": {},
        "Labels": {},
        **fields,
    }


# --- addresses ----------------------------------------------------------------------------------------------------------------
def owner_text(container_id: str) -> str:
    """Return what a claim of this process for a container says."""
    from hyperbox.process import start_time

    pid = os.getpid()
    return f"{container_id} {pid} {start_time(pid)}"


def owner_lives(owner: str) -> bool:
    """Return whether the process that made a claim (or holds it now) runs."""
    from hyperbox.process import is_alive

    parts = owner.split(" ")
    return len(parts) == 3 and parts[2].isdigit() and is_alive(int(parts[1]), int(parts[2]))


def to_number(address: str) -> int:
    """Return an address as a number."""
    from hyperbox.kernel.links import packed

    return int.from_bytes(packed(address), "big")


def to_text(number: int, ipv6: bool) -> str:
    """Return the address that a number means."""
    from hyperbox.kernel.links import unpacked

    return unpacked(number.to_bytes(16 if ipv6 else 4, "big"))


def take(path: str, owner: str) -> bool:
    """Claim an address at `path`; one whose owner is gone, or is the same container, is taken over."""
    present = files.claim(path, owner)
    if present is None or present == owner:
        return True
    if present.partition(" ")[0] != owner.partition(" ")[0] and owner_lives(present):
        return False
    aside = f"{path}.{os.getpid()}"
    try:
        os.symlink(owner, aside)
        if files.claim_owner(path) == present:
            os.rename(aside, path)
            return files.claim_owner(path) == owner
        os.unlink(aside)
    except OSError:
        return False
    return False


def allocate(roots: Roots, record: Json, entry: tuple[str, int, str, Json], wanted: str, owner: str) -> str:
    """Claim an address of a subnet: `wanted`, or the first that is free. Raises EngineError with docker's words."""
    network, length, gateway, config = entry
    ipv6 = ":" in network
    place = run_folder(roots, str(record["Id"]))
    os.makedirs(place, 0o711, exist_ok=True)
    if wanted:
        if wanted == gateway or not take(f"{place}/{wanted}", owner):
            raise EngineError("Address already in use")
        return wanted
    base, size = to_number(network), 1 << ((128 if ipv6 else 32) - length)
    first, last = base + 1, base + size - (1 if ipv6 else 2)
    ip_range = str(config.get("IPRange") or "")
    if ip_range:
        range_base, _, range_length = ip_range.partition("/")
        first = max(first, to_number(range_base))
        last = min(last, to_number(range_base) + (1 << ((128 if ipv6 else 32) - int(range_length))) - 1)
    auxiliary = config.get("AuxiliaryAddresses")
    reserved = {gateway, *(auxiliary.values() if isinstance(auxiliary, dict) else ())}
    taken = set(os.listdir(place))
    for stale in (False, True):  # at first those that nobody claims, then those whose owner is gone
        for number in range(first, min(last, first + 66000) + 1):
            address = to_text(number, ipv6)
            if address in reserved or (address in taken) != stale:
                continue
            if take(f"{place}/{address}", owner):
                return address
        if not taken:
            break
    family, shown = 6 if ipv6 else 4, f"{record['Name']} ({record['Id']})"
    raise EngineError(f"no available IPv{family} addresses on this network's address pools: {shown}")


def claimants(roots: Roots, record: Json) -> list[str]:
    """Return the ids of the containers of living processes that have claimed an address, in order."""
    place = run_folder(roots, str(record["Id"]))
    try:
        names = os.listdir(place)
    except FileNotFoundError:
        return []
    owners = {owner for name in names if name != REMOVING and (owner := files.claim_owner(f"{place}/{name}"))}
    return sorted({owner.partition(" ")[0] for owner in owners if owner_lives(owner)})


def confirm(roots: Roots, record: Json) -> None:
    """Raise NotFound where the network, in which addresses were just claimed, was removed meanwhile; from now on it can't be."""
    place = run_folder(roots, str(record["Id"]))
    if os.path.lexists(f"{place}/{REMOVING}"):
        with files.Lock(f"{folder(roots)}/lock"):
            pass
    if not os.path.exists(f"{folder(roots)}/{record['Id']}.json"):
        files.remove_tree(place)
        raise NotFound(f"network {record['Name']} not found")


def release(roots: Roots, network_id: str, address: str, container_id: str) -> None:
    """Give an address back, if it is still this container's."""
    path = f"{run_folder(roots, network_id)}/{address}"
    owner = files.claim_owner(path)
    if address and owner is not None and owner.partition(" ")[0] == container_id:
        try:
            os.unlink(path)
        except FileNotFoundError:
            pass


def release_all(roots: Roots, container_id: str) -> None:
    """Give back every address that is claimed for a container, recorded or not: its start failed or was killed."""
    base = f"{roots.run}/networks"
    for network in files.subfolders(base):
        for name in os.listdir(f"{base}/{network}"):
            release(roots, network, name, container_id)
