"""Engines: the protocol, and the native engine that keeps it."""
