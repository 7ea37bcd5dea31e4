"""Cameras: frames in, nothing else; knows nothing of what is done with them."""
