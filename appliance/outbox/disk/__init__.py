"""The file in which results wait and are kept: opened or rebuilt, written, given room. The writer's alone."""
