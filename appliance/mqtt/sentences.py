"""Why a connection did not come about, or ended: what a person reads about it."""

import socket
import ssl

from appliance.mqtt.config import MqttConfig

_WRONG_VERSION = 0x84
_BAD_PASSWORD = 0x86
_NOT_AUTHORIZED = 0x87


def address(config: MqttConfig) -> str:
    """The broker's, as it is shown."""
    return f"{config.host}:{config.port}"


def unreachable(config: MqttConfig, error: Exception) -> str:
    """No connection, because of `error`."""
    where = f"The MQTT broker {address(config)}"
    match error:
        case ssl.SSLCertVerificationError():
            return f"{where} shows a certificate that does not hold ({error.verify_message}): check ca_file and host"
        case ssl.SSLError():
            return f"{where} and we do not agree on TLS ({error.reason}): check tls and port"
        case socket.gaierror():
            return f"{where} has a name that nobody knows: check host and the name server"
        case ConnectionRefusedError():
            return f"{where} does not answer there: is it running, and is port right?"
        case TimeoutError():
            return f"{where} does not answer within {config.connect_timeout_s:g} s: check cable and host"
        case OSError():
            return f"{where} cannot be reached ({error.strerror or error}): check cable and host"
        case _:
            return f"{where} cannot be reached ({error})"


def not_let_in(config: MqttConfig, value: int, reason: str) -> str:
    """The broker answered, and does not want us."""
    where = f"The MQTT broker {address(config)}"
    if value in {_BAD_PASSWORD, _NOT_AUTHORIZED}:
        who = "a client without a name" if config.username is None else f"user {config.username!r}"
        return f"{where} refuses {who} ({reason}): check username and password_file"
    if value == _WRONG_VERSION:
        return f"{where} does not speak MQTT {config.protocol}: set protocol in the mqtt settings"
    return f"{where} does not let us in ({reason}); results wait on the disk"


def left_without_a_word(config: MqttConfig, will_topic: str | None) -> str:
    """The broker ended the connection instead of letting us in."""
    where = f"below {config.base_topic}" if will_topic is None else will_topic
    mutual = ""
    if config.tls is not None and config.tls.certificate_file is not None:
        mutual = f", that it trusts our certificate ({config.tls.certificate_file})"
    return (
        f"The MQTT broker {address(config)} ends the connection without a word: check port and tls{mutual}, and that"
        f" it lets us write {where}"
    )


def taken_over(config: MqttConfig, client_id: str) -> str:
    """Somebody else came with our client id."""
    return (
        f"Another client came to the MQTT broker {address(config)} with our id {client_id}: two boxes run on copies of"
        " one disk, or with one name; delete the file client-id on one of them"
    )
