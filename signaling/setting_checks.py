"""What settings must be beyond their type: addresses, origins, and what they must be together."""

import ipaddress
import re
from collections.abc import Callable, Mapping
from urllib.parse import urlsplit

import msgspec

from recorder.files import names
from sfu.config import Config
from signaling.setting_table import SETTINGS, Given, SettingError

SECRET_LENGTH = 32  # characters; RFC 7518 3.2 wants a key no shorter than the hash of HS256
ICE_SCHEMES = frozenset({"stun", "stuns", "turn", "turns"})
ICE_URL = re.compile(r"[A-Za-z]+:[0-9A-Za-z\[][0-9A-Za-z\[\].:?=_-]*")  # RFC 7064, RFC 7065

IpAddress = ipaddress.IPv4Address | ipaddress.IPv6Address


def is_loopback(host: str) -> bool:
    """Whether `host`, a name or an address as in a URL, can only mean this machine."""
    if host == "localhost" or host.endswith(".localhost"):  # RFC 6761 6.3
        return True
    try:
        return _address(host.strip("[]")).is_loopback
    except ValueError:
        return False


def origin_of(url: str) -> str | None:
    """The web origin (RFC 6454) that `url` is, in its normal form; None where it is not just that.

    For example "https://Example.org:443" → "https://example.org".
    """
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        return None
    scheme = parts.scheme.lower()
    default_port = {"http": 80, "https": 443}.get(scheme)
    if default_port is None or not parts.hostname or "@" in parts.netloc:
        return None
    if parts.path not in ("", "/") or parts.query or parts.fragment:
        return None
    host = f"[{parts.hostname}]" if ":" in parts.hostname else parts.hostname
    return f"{scheme}://{host}" if port in (None, default_port) else f"{scheme}://{host}:{port}"


def check(config: Config, origins: Mapping[str, str]) -> Config:
    """The same configuration, with addresses and origins in their normal form.

    Args:
        config: Values that are right by their type.
        origins: Setting name → where its value came from, of those that were given.

    Raises:
        SettingError: A value is not allowed, by itself or beside the others.
    """
    checker = _Checker(origins)
    config = msgspec.structs.replace(
        config,
        host=checker.each("host", config.host, _host, "an IP address of this machine"),
        media_host=checker.each(
            "media_host", config.media_host, _host, "an IP address of this machine"
        ),
        announce=checker.each(
            "announce",
            config.announce,
            _reachable,
            "an IP address that clients can reach (names are not looked up)",
        ),
        cors_origins=checker.each(
            "cors_origins",
            config.cors_origins,
            lambda text: text if text == "*" else origin_of(text),
            "* or web origins like https://example.org",
        ),
    )
    checker.listening(config)
    checker.ice_servers(config)
    checker.access(config)
    checker.recordings(config)
    return config


class _Checker:
    """The cross checks; each method raises `SettingError` or does nothing."""

    def __init__(self, origins: Mapping[str, str]) -> None:
        self._origins = origins

    def _problem(self, name: str, value: object, allowed: str) -> SettingError:
        given = Given(value, self._origins.get(name, "the default"))
        return SETTINGS[name].problem(given, allowed)

    def each(
        self,
        name: str,
        values: tuple[str, ...],
        normal: Callable[[str], str | None],
        allowed: str,
    ) -> tuple[str, ...]:
        """The normal forms of the values, each of them once."""
        found: dict[str, None] = {}
        for value in values:
            form = normal(value)
            if form is None:
                raise self._problem(name, value, allowed)
            found[form] = None
        return tuple(found)

    def listening(self, config: Config) -> None:
        """Addresses, ports and the certificate of HTTPS."""
        if not config.host:
            raise self._problem("host", [], "one IP address or more")
        if config.ice_tcp and config.http_port == config.tcp_port != 0:
            raise self._problem(
                "tcp_port", config.tcp_port, "another port than http_port, which is the same"
            )
        for name, other in (("tls_certificate", "tls_key"), ("tls_key", "tls_certificate")):
            if getattr(config, other) and not getattr(config, name):
                raise self._problem(name, "", f"given where {other} is given")

    def ice_servers(self, config: Config) -> None:
        """What browsers would refuse (W3C webrtc, "validate an ICE server")."""
        for server in config.ice_servers:
            schemes = {url.partition(":")[0].lower() for url in server.urls}
            texts = (server.username, server.credential)
            if (
                not schemes
                or not schemes <= ICE_SCHEMES
                or not all(map(ICE_URL.fullmatch, server.urls))
                or not all(map(str.isprintable, texts))
            ):
                raise self._problem("ice_servers", None, SETTINGS["ice_servers"].allowed)
            needs_login = not schemes.isdisjoint({"turn", "turns"})
            if needs_login and not (server.username and server.credential):
                raise self._problem(
                    "ice_servers", None, "given with username and credential for every TURN server"
                )

    def access(self, config: Config) -> None:
        """Who may come in: tokens, or `dev` where nobody else can reach us."""
        if config.dev:
            for name, hosts in (("host", config.host), ("media_host", config.media_host)):
                for host in hosts:
                    if not is_loopback(host):
                        raise self._problem(
                            name,
                            host,
                            "a loopback address while dev is on, because dev lets anyone in "
                            "without a token",
                        )
        elif not config.api_key and not config.api_secret:
            raise SettingError(
                "api_key and api_secret are not set: without them nobody could be let in. Set "
                "both, or dev to try things on this machine without tokens."
            )
        for name, other in (("api_key", "api_secret"), ("api_secret", "api_key")):
            if getattr(config, other) and not getattr(config, name):
                raise self._problem(name, "", f"given where {other} is given")
        if config.api_secret and len(config.api_secret) < SECRET_LENGTH:
            raise self._problem(
                "api_secret", None, f"{SECRET_LENGTH} characters or more, best random ones"
            )

    def recordings(self, config: Config) -> None:
        """Where recordings go, and how they are called."""
        try:
            names.check(config.recording_template)
        except names.TemplateError as error:
            raise self._problem(
                "recording_template",
                config.recording_template,
                f"a relative path with a folder {{recording}} ({error})",
            ) from None
        if config.record_rooms and not config.recordings_dir:
            raise self._problem("recordings_dir", "", "a folder where record_rooms is given")
        if config.recording_storage == "s3" and not config.s3_bucket:
            raise self._problem("s3_bucket", "", "given where recording_storage is s3")
        for name, other in (
            ("s3_access_key", "s3_secret_key"),
            ("s3_secret_key", "s3_access_key"),
        ):
            if getattr(config, other) and not getattr(config, name):
                raise self._problem(name, "", f"given where {other} is given")
        if config.s3_endpoint and not _is_web_url(config.s3_endpoint):
            raise self._problem(
                "s3_endpoint", config.s3_endpoint, "a URL like https://s3.example.org"
            )


def _is_web_url(text: str) -> bool:
    try:
        parts = urlsplit(text)
        parts.port  # noqa: B018 - it is parsed only here
    except ValueError:
        return False
    return parts.scheme in ("http", "https") and bool(parts.hostname) and "@" not in parts.netloc


def _address(text: str) -> IpAddress:
    """The address; IPv4 that is written as IPv6 counts as IPv4, as sockets deliver it."""
    address = ipaddress.ip_address(text)
    if isinstance(address, ipaddress.IPv6Address) and address.ipv4_mapped is not None:
        return address.ipv4_mapped
    return address


def _host(text: str) -> str | None:
    """The normal form of an address to listen on."""
    if text == "localhost":
        return "127.0.0.1"
    try:
        return str(_address(text))
    except ValueError:
        return None


def _reachable(text: str) -> str | None:
    """The normal form of an address to announce."""
    try:
        address = _address(text)
    except ValueError:
        return None
    if address.is_unspecified or address.is_multicast or "%" in text:
        return None
    return str(address)
