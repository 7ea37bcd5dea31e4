"""What this box shows to the broker, and what it asks to see: password, certificates."""

import ssl
from pathlib import Path
from typing import Final

from appliance import systemd
from appliance.errors import ConfigError
from appliance.mqtt.config import TlsConfig

_SECRET_MAX_BYTES: Final = 4096


def password(file: str | None) -> str | None:
    """What stands in that file, or in the systemd credential of that name. Raises: ConfigError."""
    if file is None:
        return None
    if "/" not in file:
        found = systemd.credential(file)
        if found is None:
            msg = f"There is no credential {file!r} for MQTT: add LoadCredential= to the unit, or give a path"
            raise ConfigError(msg)
        return found
    try:
        with Path(file).open("rb") as opened:
            return opened.read(_SECRET_MAX_BYTES).decode().removesuffix("\n")
    except (OSError, UnicodeDecodeError) as error:
        msg = f"The MQTT password cannot be read from {file} ({error}): check password_file and its permissions"
        raise ConfigError(msg) from error


def tls_context(config: TlsConfig) -> ssl.SSLContext:
    """Read anew for each connection, so that renewed certificates count. Raises: ConfigError."""
    try:
        context = ssl.create_default_context(cafile=config.ca_file)
        if config.certificate_file is not None:
            context.load_cert_chain(config.certificate_file, config.key_file)
    except OSError as error:
        msg = (
            f"The certificates for MQTT cannot be used ({error}): check ca_file ({config.ca_file}),"
            f" certificate_file ({config.certificate_file}) and key_file"
        )
        raise ConfigError(msg) from error
    return context
