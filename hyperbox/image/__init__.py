"""Images: store, registry, snapshots, archives, building."""
