"""Where results are read from: this box's outbox, a copied one, or a file of JSON lines."""

from pathlib import Path
from typing import Final

CONFIG: Final = Path("/etc/appliance/appliance.toml")
"""The operator's file where nobody says another one."""
