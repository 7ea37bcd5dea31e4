"""Judgements on USB and V4L2 cameras: memory for transfers, and who may open them. Pure functions."""

from typing import Final

from camera.checking.findings import Finding, note, well, wrong
from camera.checking.system import Device

USBFS_MEMORY_MB: Final = 1000
"""What deploy/install sets: every USB3 camera of a box together."""
_KERNELS_OWN_MB: Final = 16


def usb_memory(limit_mb: int | None, needed_bytes: int | None = None) -> Finding:
    """`limit_mb`: usbfs_memory_mb, 0 without limit; `needed_bytes`: of all the pictures that may be under way."""
    what = "USB memory"
    repair = (
        f"echo {USBFS_MEMORY_MB} > /sys/module/usbcore/parameters/usbfs_memory_mb (for good: "
        "/etc/tmpfiles.d/appliance-cameras.conf, which deploy/install writes)"
    )
    if limit_mb is None:
        return note(what, "this kernel has no USB, or does not say how much memory USB transfers may take")
    if limit_mb == 0:
        return well(what, "without limit")
    if needed_bytes is not None and needed_bytes > limit_mb * 1_048_576:
        return wrong(
            what,
            f"USB transfers may take {limit_mb} MB, and this camera's pictures under way need "
            f"{needed_bytes / 1_048_576:.0f}: the stream would not start, or lose pictures; {repair}",
        )
    if limit_mb <= _KERNELS_OWN_MB:
        return note(what, f"USB transfers may take {limit_mb} MB, all cameras together, which is little; {repair}")
    return well(what, f"USB transfers may take {limit_mb} MB")


def may_open(device: Device) -> Finding:
    """A /dev/video*, or a /dev/bus/usb/*/*."""
    what = "device"
    if not device.exists:
        there = ", ".join(device.others)
        hint = f"there are {there}" if there else "there is none of its kind; is the camera plugged in? (lsusb, dmesg)"
        return wrong(what, f"there is no {device.path}: {hint}")
    if not device.may_use:
        return wrong(
            what,
            f"{device.path} may not be opened by this user: it belongs to group {device.group}; "
            f"usermod -aG {device.group} USER, then log in again (the service is in it by itself)",
        )
    return well(what, f"{device.path} may be opened")
