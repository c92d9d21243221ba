"""Functions of network addresses."""

from __future__ import annotations

import ipaddress

from hyperbox.hcl.functions import Function, FunctionError, numeric, text, whole_number
from hyperbox.hcl.types import STRING
from hyperbox.hcl.values import Value, list_value, string

Network = ipaddress.IPv4Network | ipaddress.IPv6Network


def _network(value: Value) -> Network:
    given = value.text
    address, slash, length = given.partition("/")
    try:
        if not slash or not length.isdecimal() or (len(length) > 1 and length[0] == "0"):
            raise ValueError
        return ipaddress.ip_network(f"{address}/{length}", strict=False)
    except ValueError:
        raise FunctionError(f"invalid CIDR expression: invalid CIDR address: {given}") from None


def _host(prefix: Value, number: Value) -> Value:
    network = _network(prefix)
    wanted = whole_number(number)
    free = network.max_prefixlen - network.prefixlen
    if (wanted if wanted >= 0 else -wanted - 1) >= 1 << free:
        raise FunctionError(f"prefix of {network.prefixlen} does not accommodate a host numbered {wanted}")
    base = int(network.network_address)
    found = base + wanted if wanted >= 0 else base + (1 << free) + wanted
    return string(str(type(network.network_address)(found)))


def _netmask(prefix: Value) -> Value:
    return string(str(_network(prefix).netmask))


def _sub(network: Network, bits: int, number: int) -> Network:
    length = network.prefixlen + bits
    if length > network.max_prefixlen:
        raise FunctionError(f"insufficient address space to extend prefix of {network.prefixlen} by {bits}")
    if not 0 <= number < 1 << max(0, bits):
        raise FunctionError(f"prefix extension of {bits} does not accommodate a subnet numbered {number}")
    base = int(network.network_address) + (number << (network.max_prefixlen - length))
    return ipaddress.ip_network((base, length))


def _subnet(prefix: Value, bits: Value, number: Value) -> Value:
    return string(str(_sub(_network(prefix), whole_number(bits), whole_number(number))))


def _subnets(prefix: Value, *sizes: Value) -> Value:
    """Return networks of several sizes, one behind the other."""
    network = _network(prefix)
    found: list[Value] = []
    following = int(network.network_address)
    end = following + network.num_addresses
    for place, size in enumerate(sizes, 1):
        bits = whole_number(size)
        if bits < 1:
            raise FunctionError("must extend prefix by at least one bit", place)
        length = network.prefixlen + bits
        if length > network.max_prefixlen:
            raise FunctionError(
                f"would extend prefix to {length} bits, which is too long for an IPv{network.version} address", place
            )
        count = 1 << (network.max_prefixlen - length)
        start = -(-following // count) * count
        if start + count > end:
            raise FunctionError(
                f"not enough remaining address space for a subnet with a prefix of {length} bits after {found[-1].text}",
                place,
            )
        found.append(string(str(ipaddress.ip_network((start, length)))))
        following = start + count
    return list_value(found, STRING)


_PREFIX = text("prefix")
FUNCTIONS: dict[str, Function] = {
    "cidrhost": Function(_host, (_PREFIX, numeric("hostnum"))),
    "cidrnetmask": Function(_netmask, (_PREFIX,)),
    "cidrsubnet": Function(_subnet, (_PREFIX, numeric("newbits"), numeric("netnum"))),
    "cidrsubnets": Function(_subnets, (_PREFIX,), numeric("newbits")),
}
