"""Other firewalls on the host, asked to let packets of our bridges pass; nothing of theirs is changed otherwise.

A packet is forwarded only if every table lets it. Docker sets the policy of FORWARD in "ip filter" to DROP and asks for exceptions in its chain
DOCKER-USER; ufw sets the policy. There, rules that match our link group stand in front: they name no bridge, and Docker and ufw leave them where
they are. firewalld drops at the end of a chain of its own, which it lays again on each reload, so it is told by its own command, for
good: what comes from our networks' addresses is in its zone "trusted". Our own table drops what must not pass, whatever these accept.
"""

from __future__ import annotations

from hyperbox import process

TYPE_CHECKING = False
if TYPE_CHECKING:
    from hyperbox.engine.state import Roots

PROGRAMS = ("iptables", "ip6tables")


def run(path: str, *words: str) -> process.Completed:
    """Run a firewall's program to its end."""
    return process.run([path, *words], timeout=20)


def exceptions(own: str) -> list[list[str]]:
    """Return the rules that let packets from and to links of a group ("0x…/0xffffff00") pass. Pure."""
    return [["-m", "devgroup", option, own, "-j", "ACCEPT"] for option in ("--src-group", "--dst-group")]


def dropping_chain(listed: str) -> str:
    """Return the chain in which exceptions are to stand, from `iptables -S`; "" where forwarding is free. Pure."""
    lines = listed.splitlines()
    if "-N DOCKER-USER" in lines:
        return "DOCKER-USER"
    return "FORWARD" if "-P FORWARD DROP" in lines else ""


def missing_rules(group: int) -> list[tuple[str, list[str]]]:
    """Return (program, rule with its chain in front) of each exception that another firewall lacks."""
    found = []
    for program in PROGRAMS:
        path = process.find_program(program)
        listed = run(path, "-w", "-S") if path is not None else None
        chain = dropping_chain(listed.out.decode("utf-8", "replace")) if listed is not None and listed.code == 0 else ""
        if path is None or not chain:
            continue
        for rule in exceptions(f"{group:#x}/0xffffff00"):
            if run(path, "-w", "-C", chain, *rule).code:
                found.append((path, [chain, *rule]))
    return found


def untrusted_sources(roots: Roots) -> list[str]:
    """Return our networks' subnets that a running firewalld does not trust; none where it does not run."""
    path = process.find_program("firewall-cmd")
    if path is None or run(path, "--state").code:
        return []
    return [each for each in subnets(roots) if run(path, "--zone=trusted", f"--query-source={each}").code]


def subnets(roots: Roots) -> list[str]:
    """Return the addresses that our networks have: the pools, and what lies outside of them."""
    from hyperbox.engine import network_manage, network_store

    found = [f"{address}/{length}" for address, length in network_manage.pools(roots)]
    pools = network_manage.pools(roots)
    for record in network_store.all_networks(roots):
        for address, length, _, _ in network_store.subnets(record):
            if not any(network_manage.overlaps((address, length), pool) for pool in pools):
                found.append(f"{address}/{length}")
    return found


def accept(roots: Roots, group: int) -> None:
    """Add what is missing; a program that refuses is left alone (`hyperbox doctor` tells of it)."""
    for path, rule in missing_rules(group):
        run(path, "-w", "-I", *rule)
    sources = untrusted_sources(roots)
    path = process.find_program("firewall-cmd") or "firewall-cmd"
    for each in sources:
        run(path, "--zone=trusted", f"--add-source={each}")
        run(path, "--permanent", "--zone=trusted", f"--add-source={each}")


def dropping_tables() -> list[str]:
    """Return the chains at the hook `forward` with the policy drop that are nobody's known: "inet filter forward"."""
    from hyperbox import files

    try:
        done = process.run(["nft", "-j", "list", "chains"], timeout=30)
        listed = files.loads(done.out.decode("utf-8", "replace")) if done.code == 0 else {}
    except (FileNotFoundError, ValueError, TimeoutError):
        return []
    return parse_dropping(listed)


def parse_dropping(listed: object) -> list[str]:
    """Return those chains in what `nft -j list chains` printed. iptables' own (FORWARD, which `missing_rules` sees) are none. Pure."""
    found = []
    for row in listed.get("nftables", ()) if isinstance(listed, dict) else ():
        chain = row.get("chain") or {}
        known = chain.get("name") == "FORWARD" and chain.get("table") == "filter"
        if chain.get("hook") == "forward" and chain.get("policy") == "drop" and not known:
            found.append(f"{chain.get('family')} {chain.get('table')} {chain.get('name')}")
    return found
