"""Addresses of this computer: where a server listens, and what others type to reach it."""

import ipaddress
import socket

import psutil

from seaformer.errors import UsageError

LOCALHOST = "localhost"

EVERY_ADDRESS = ("0.0.0.0", "::")
"""Values of --host for all networks of this computer."""

_ROUTED = ("192.0.2.1", 9)
"""An address for documentation (RFC 5737). Nothing is sent there: connecting a UDP socket only
selects the network that packets would leave by."""


def is_local(host: str) -> bool:
    """Whether only programs on this computer reach a server at a name or an address."""
    if host == LOCALHOST:
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def network_addresses() -> tuple[str, ...]:
    """Return the IPv4 addresses of this computer in its networks, the default network's first."""
    states = psutil.net_if_stats()
    found = [
        one.address
        for name, addresses in psutil.net_if_addrs().items()
        for one in addresses
        if one.family == socket.AF_INET and name in states and states[name].isup
    ]
    default = _default_address()
    found = [one for one in dict.fromkeys(found) if not ipaddress.ip_address(one).is_loopback]
    return tuple(sorted(found, key=lambda address: address != default))


def listening_at(host: str) -> tuple[socket.AddressFamily, str]:
    """Return the family and the address to listen at, for a value of --host.

    Raises:
        UsageError: it is not an address or name of this computer.
    """
    if host == LOCALHOST:
        return socket.AF_INET, "127.0.0.1"
    try:
        family, *_, address = socket.getaddrinfo(
            host, None, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )[0]
    except (OSError, UnicodeError):
        raise bad_host(host) from None
    return family, str(address[0])


def reached_at(host: str) -> tuple[str, ...]:
    """Return the names or addresses by which a server that listens at `host` is reached."""
    if host in EVERY_ADDRESS:
        return network_addresses() or (LOCALHOST,)
    return (host,)


def url(host: str, port: int, scheme: str) -> str:
    """Return the address of the page, with brackets around an IPv6 address."""
    return f"{scheme}://{f'[{host}]' if ':' in host else host}:{port}/"


def bad_host(host: str) -> UsageError:
    """Return the error for a host that this computer does not have."""
    own = ", ".join(network_addresses())
    return UsageError(
        f"--host is '{host}', which is not an address of this computer. Allowed: {LOCALHOST}, "
        f"{EVERY_ADDRESS[0]} for all its networks{', ' if own else ''}{own}."
    )


def _default_address() -> str | None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        try:
            probe.connect(_ROUTED)
        except OSError:
            return None
        return str(probe.getsockname()[0])
