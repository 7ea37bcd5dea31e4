"""`appliance camera`: what a line engineer uses to find, set up and check a camera."""
