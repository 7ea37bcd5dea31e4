"""The publisher's side, on a computer that is no box: package, lint, sign, push, deploy."""
