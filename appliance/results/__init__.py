"""`appliance results`: what the box has recorded, looked at, taken out and proven, on the box itself."""
