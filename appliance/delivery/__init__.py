"""The process that brings new model versions to this box: it downloads, verifies, has them examined, and moves the pointer."""
