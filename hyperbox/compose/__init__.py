"""Compose files: from text to one canonical, validated model."""
