"""TensorFlow through its C API: models run outside the interpreter's lock, and `tensorflow` is never imported."""
