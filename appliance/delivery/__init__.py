"""The process that brings new model versions: it downloads, verifies, has them examined, and moves the pointer."""
