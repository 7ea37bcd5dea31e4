"""Which proxy leads to a host, as the operator's file or the environment say."""

import base64
import ipaddress
import urllib.request
from dataclasses import dataclass, field
from urllib.parse import unquote, urlsplit

from appliance.registry.errors import Unavailable


@dataclass(frozen=True, slots=True)
class Proxy:
    """Where it listens, over plain HTTP as proxies do."""

    host: str
    port: int
    authorization: str | None = field(default=None, repr=False)


def proxy_for(scheme: str, host: str, configured: str | None) -> Proxy | None:
    """The way to `scheme://host`: `configured`, else HTTPS_PROXY or HTTP_PROXY; none for NO_PROXY and this box.

    Raises: Unavailable where the proxy's address is none.
    """
    if _is_this_box(host):
        return None
    environment = urllib.request.getproxies_environment()
    address = configured or environment.get(scheme)
    if not address:
        return None
    if urllib.request.proxy_bypass_environment(host, environment):  # type: ignore[attr-defined]  # NO_PROXY
        return None
    try:
        url = urlsplit(address if "://" in address else f"http://{address}")
        found, port = url.hostname, url.port
    except ValueError:
        found, port = None, None
    if not found or url.scheme != "http":
        origin = "delivery.proxy" if configured else f"{scheme.upper()}_PROXY"
        raise Unavailable(f"{origin} is no proxy's address; write http://host:port.")
    return Proxy(found, port or 80, _basic(url.username, url.password))


def _basic(user: str | None, password: str | None) -> str | None:
    if user is None:
        return None
    login = f"{unquote(user)}:{unquote(password or '')}"
    return "Basic " + base64.b64encode(login.encode()).decode()


def _is_this_box(host: str) -> bool:
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
