"""Who asks: by the address of the connection, or the one that a believed proxy told (see `api.app`)."""

import ipaddress
from collections.abc import Sequence
from typing import Final

from starlette.types import Scope

_NOBODY: Final = "unknown"
_SITE_BITS: Final = 64
"""One site has a whole IPv6 network of this length, and may use any address in it."""


def client_of(scope: Scope) -> str:
    """What limits count: the IPv4 address, or the IPv6 network of one site."""
    client = scope.get("client")
    if client is None:
        return _NOBODY
    host: str = client[0]
    if ":" not in host:
        return host
    try:
        address = ipaddress.IPv6Address(host.partition("%")[0])
    except ValueError:
        return _NOBODY
    if address.ipv4_mapped is not None:
        return str(address.ipv4_mapped)
    return str(ipaddress.IPv6Network((address, _SITE_BITS), strict=False))


def is_within(scope: Scope, networks: Sequence[str]) -> bool:
    """Whether the client is in one of the networks. Whatever came through a proxy is not: a proxy is for strangers."""
    client = scope.get("client")
    if client is None or any(name in (b"x-forwarded-for", b"forwarded") for name, _ in scope["headers"]):
        return False
    try:
        address = ipaddress.ip_address(client[0].partition("%")[0])
    except ValueError:
        return False
    return any(address in ipaddress.ip_network(network) for network in networks)
