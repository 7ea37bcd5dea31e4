"""A deployment's states, and the rules of its way. Nothing here reads a clock, a file or a socket."""
