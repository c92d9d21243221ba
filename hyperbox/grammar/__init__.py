"""What the user said: docker's and compose's command line, parsed exactly by their rules."""
