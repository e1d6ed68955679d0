"""Addresses that a composite is pushed to.

    rtmp://host[:port]/application/key
    rtmps://host[:port]/application/key
    srt://host:port[?streamid=…&passphrase=…&pbkeylen=…&latency=…]

The last part of an RTMP address is the stream's key; all before it is the application. Of SRT's
parameters only those of a caller are taken, with FFmpeg's meaning (latency in microseconds). What
is special in addresses, `#` above all, is written with `%`.
"""

from dataclasses import dataclass, field
from urllib.parse import SplitResult, unquote, urlsplit

DEFAULT_PORTS = {"rtmp": 1935, "rtmps": 443}  # RTMP 1.0; nobody registered one for RTMPS
SRT_PARAMETERS = ("latency", "passphrase", "pbkeylen", "streamid")
MAX_VALUE = 512  # bytes; libsrt's bound for a streamid, the longest of all
MAX_LENGTH = 2048  # characters; more than any service's


class AddressError(ValueError):
    """An address that nothing can be pushed to; the message says why."""


@dataclass(frozen=True, slots=True)
class Address:
    """One address, taken apart.

    Attributes:
        scheme: "rtmp", "rtmps" or "srt".
        host: Name or IP address, IPv6 without brackets.
        port: Of TCP or UDP.
        application: Of RTMP, else empty.
        key: Of RTMP: the stream's name, which is a secret; else empty.
        parameters: Of SRT, some of which are secrets.
    """

    scheme: str
    host: str
    port: int
    application: str = ""
    key: str = field(default="", repr=False)  # it may end in a log
    parameters: dict[str, str] = field(default_factory=dict, repr=False)

    @property
    def origin(self) -> str:
        """Scheme, host and port: where one can see it, without user and password."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        default = self.port == DEFAULT_PORTS.get(self.scheme)
        return f"{self.scheme}://{host}" + ("" if default else f":{self.port}")

    @property
    def public(self) -> str:
        """The address without what may be secret in it."""
        return f"{self.origin}/{self.application}" if self.application else self.origin


def parse_address(url: str) -> Address:
    """Take an address apart.

    Raises:
        AddressError: Nothing can be pushed there.
    """
    if len(url) > MAX_LENGTH:
        raise AddressError(f"An output's address may have {MAX_LENGTH} characters at most.")
    if not url.isprintable() or " " in url:
        raise AddressError("An output's address must have no spaces or control characters.")
    if "#" in url:
        raise AddressError("An output's address must write # as %23.")
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        raise AddressError("An output's address is malformed.") from None
    scheme, host = parts.scheme.lower(), parts.hostname
    if scheme not in (*DEFAULT_PORTS, "srt"):
        raise AddressError("An output's address must begin with rtmp://, rtmps:// or srt://.")
    if not host:
        raise AddressError("An output's address must name a host.")
    if scheme == "srt":
        if port is None:
            raise AddressError("An address for SRT must name a port: srt://host:port.")
        return Address(scheme, host, port, parameters=_srt_parameters(parts))
    application, _, key = parts.path.strip("/").rpartition("/")
    if not application or not key:
        raise AddressError(
            "An address for RTMP must name an application and a key: rtmp://host/application/key."
        )
    if parts.query:
        key += f"?{parts.query}"
    return Address(scheme, host, port or DEFAULT_PORTS[scheme], application, key)


def _srt_parameters(parts: SplitResult) -> dict[str, str]:
    if parts.path.strip("/") or parts.username is not None:
        raise AddressError("An address for SRT is srt://host:port and parameters, no more.")
    found = {}
    for parameter in filter(None, parts.query.split("&")):
        name, _, value = parameter.partition("=")
        value = unquote(value)
        if not value.isprintable():
            raise AddressError("An output's address must have no spaces or control characters.")
        if len(value.encode()) > MAX_VALUE:  # FFmpeg takes the rest of long lines for other options
            raise AddressError(f"A parameter for SRT may have {MAX_VALUE} bytes at most.")
        if (name, value) == ("mode", "caller"):
            continue
        if name not in SRT_PARAMETERS:
            allowed = ", ".join(SRT_PARAMETERS)
            raise AddressError(f"An address for SRT may have the parameters {allowed} only.")
        if value:
            found[name] = value
    return found
