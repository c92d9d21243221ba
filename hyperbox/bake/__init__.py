"""Bake files: targets and groups, from HCL, JSON and compose files up to what is built. Nothing here builds or prints."""
