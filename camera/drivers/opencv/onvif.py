"""Network cameras that answer when they are called: ONVIF's WS-Discovery."""

import re
import socket
import struct
import time
import uuid
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from typing import Final
from urllib.parse import unquote, urlsplit

_EVERYBODY: Final = ("239.255.255.250", 3702)
_ANSWER_MAX: Final = 65_535
_ANSWERS_MAX: Final = 1000
_PROBE: Final = """<?xml version="1.0" encoding="UTF-8"?>
<e:Envelope xmlns:e="http://www.w3.org/2003/05/soap-envelope" xmlns:w="http://schemas.xmlsoap.org/ws/2004/08/addressing"
 xmlns:d="http://schemas.xmlsoap.org/ws/2005/04/discovery" xmlns:dn="http://www.onvif.org/ver10/network/wsdl">
<e:Header><w:MessageID>uuid:{id}</w:MessageID><w:To>urn:schemas-xmlsoap-org:ws:2005:04:discovery</w:To>
<w:Action>http://schemas.xmlsoap.org/ws/2005/04/discovery/Probe</w:Action></e:Header>
<e:Body><d:Probe><d:Types>dn:NetworkVideoTransmitter</d:Types></d:Probe></e:Body></e:Envelope>"""
# Two fields of a stranger's XML: looked for as text, so that nothing of it is interpreted.
_ADDRESSES: Final = re.compile(r"<(?:[\w.-]+:)?XAddrs[^>]*>([^<]*)<")
_SCOPES: Final = re.compile(r"<(?:[\w.-]+:)?Scopes[^>]*>([^<]*)<")


@dataclass(frozen=True, slots=True)
class NetworkCamera:
    """One camera's answer."""

    host: str
    service: str
    """Address of its ONVIF service: there, with a login, it tells its streams."""
    model: str


def probe(timeout_s: float, to: tuple[str, int] = _EVERYBODY) -> list[NetworkCamera]:
    """Ask in every network that this computer is in, and listen for `timeout_s`. Raises: OSError without any."""
    question = _PROBE.format(id=uuid.uuid4()).encode()
    found: dict[str, NetworkCamera] = {}
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as asking:
        for index, _name in socket.if_nameindex():
            asking.setsockopt(socket.IPPROTO_IP, socket.IP_MULTICAST_IF, struct.pack("=4s4si", b"", b"", index))
            with suppress(OSError):  # this one is down, or has no address
                asking.sendto(question, to)
        for answer, sender in _answers(asking, time.monotonic() + timeout_s):
            camera = _read(answer, sender)
            if camera is not None:
                found[camera.service] = camera
    return list(found.values())


def _answers(asking: socket.socket, deadline: float) -> Iterator[tuple[str, str]]:
    for _ in range(_ANSWERS_MAX):
        left_s = deadline - time.monotonic()
        if left_s <= 0:
            return
        asking.settimeout(left_s)
        try:
            answer, (host, _port) = asking.recvfrom(_ANSWER_MAX)
        except TimeoutError:
            return
        yield answer.decode("utf-8", "replace"), host


def _read(answer: str, sender: str) -> NetworkCamera | None:
    """None: it is no camera's answer. The address is the one that can be reached from here, if it tells several."""
    told = _ADDRESSES.search(answer)
    addresses = [one for one in told[1].split() if one.startswith(("http://", "https://"))] if told else []
    if not addresses:
        return None
    service = next((one for one in addresses if sender in one), addresses[0])
    scopes = _SCOPES.search(answer)
    words = dict.fromkeys(_scope(one) for one in (scopes[1].split() if scopes else []))
    model = " ".join(word for word in words if word)
    return NetworkCamera(urlsplit(service).hostname or sender, service, model or "ONVIF camera")


def _scope(scope: str) -> str:
    """What it says about itself: name and hardware."""
    for kind in ("onvif://www.onvif.org/name/", "onvif://www.onvif.org/hardware/"):
        if scope.startswith(kind):
            return unquote(scope.removeprefix(kind))[:100]
    return ""
