"""LiteRT through its C API: loading, weight packing and inference happen outside the interpreter's lock."""
