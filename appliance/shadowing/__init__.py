"""The line's frames for a candidate that looks on: a ring in shared memory that never keeps the line waiting."""
