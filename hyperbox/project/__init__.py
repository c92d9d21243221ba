"""Projects: identity, desired state, host ports, addresses, networks and cgroups."""
