"""The commands: the only room that prints and reads the environment."""
