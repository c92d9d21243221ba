"""Warm containers: checkpoints, prediction, pools."""
