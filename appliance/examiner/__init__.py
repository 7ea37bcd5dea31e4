"""The process that loads a candidate: golden samples first, then the line's frames. It may crash without anyone."""
