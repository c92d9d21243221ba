"""System calls, netlink, nftables and cgroups."""
