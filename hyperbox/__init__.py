"""HyperBox: docker's and docker compose's command line over a native engine with isolated projects."""
