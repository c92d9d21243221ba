"""Building images from Dockerfiles: frontend, stage graph, cache, execution on the native engine."""
