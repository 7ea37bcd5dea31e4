"""A virtual camera for the tests of `appliance camera`, drawn in no time."""

SMALL = ("--set", "driver=virtual", "--set", "width_px=320", "--set", "height_px=200")
