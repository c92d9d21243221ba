"""From what is there to what is wanted: observe, reconcile, execute."""
