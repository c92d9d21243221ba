"""OCI runtimes and what differs between them."""
