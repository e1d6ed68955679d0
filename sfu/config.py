"""Every setting of a server: its name, type, bounds, default and meaning, in one table.

A setting `some_name` is `--some-name` on the command line, `AIOSFU_SOME_NAME` in the environment
and `some_name` in the TOML file. Reading those is `signaling.settings`; the table is all that the
core knows.
"""

from typing import Annotated, Any, ClassVar, Literal

import msgspec
from msgspec import Meta

Port = Annotated[int, Meta(ge=0, le=65535)]
Count = Annotated[int, Meta(ge=1)]
CountOrNone = Annotated[int, Meta(ge=0)]
Seconds = Annotated[float, Meta(gt=0)]


class Discreet(msgspec.Struct, frozen=True):
    """Base of structs that have secrets, which must not get into logs and tracebacks.

    Attributes:
        secrets: Names of the fields of which `repr` shows only whether they are empty.
    """

    secrets: ClassVar[frozenset[str]] = frozenset()

    def __repr__(self) -> str:
        fields = ", ".join(f"{name}={value!r}" for name, value in self.__rich_repr__())
        return f"{type(self).__name__}({fields})"

    def __rich_repr__(self) -> list[tuple[str, Any]]:
        fields = ((name, getattr(self, name)) for name in self.__struct_fields__)
        return [
            (name, "***" if value and name in self.secrets else value) for name, value in fields
        ]


class IceServer(Discreet, frozen=True, omit_defaults=True):
    """A STUN or TURN server that clients are told of (W3C RTCIceServer)."""

    secrets = frozenset({"credential"})

    urls: tuple[str, ...]
    username: str = ""
    credential: str = ""


class Config(Discreet, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """All settings of one worker, validated."""

    secrets = frozenset({"api_secret", "s3_secret_key"})

    host: Annotated[
        tuple[str, ...],
        Meta(description="Address to listen on, for HTTP and media; several allowed."),
    ] = ("127.0.0.1",)
    media_host: Annotated[
        tuple[str, ...],
        Meta(
            description="Address to listen on for media where that differs from `host`, as behind "
            "a reverse proxy; several allowed."
        ),
    ] = ()
    http_port: Annotated[Port, Meta(description="TCP port of HTTP and WebSocket; 0 picks one.")] = (
        8080
    )
    udp_port: Annotated[
        Port, Meta(description="UDP port of all media, of all peers; 0 picks one.")
    ] = 7882
    tcp_port: Annotated[
        Port, Meta(description="TCP port of media for networks without UDP (ICE-TCP); 0 picks one.")
    ] = 7881
    ice_tcp: Annotated[bool, Meta(description="Whether to offer media over TCP at all.")] = True
    announce: Annotated[
        tuple[str, ...],
        Meta(
            description="Address that clients reach us at, where it is not the one that we listen "
            "on (NAT, containers); several allowed."
        ),
    ] = ()
    ice_servers: Annotated[
        tuple[IceServer, ...], Meta(description="STUN and TURN servers that clients are told of.")
    ] = ()
    tls_certificate: Annotated[
        str, Meta(description="PEM file with the certificate chain: serve HTTPS instead of HTTP.")
    ] = ""
    tls_key: Annotated[str, Meta(description="PEM file with the key of that certificate.")] = ""

    api_key: Annotated[
        str, Meta(description="Name of the key that signs access tokens (their `iss`).")
    ] = ""
    api_secret: Annotated[
        str, Meta(description="Secret that signs access tokens; 32 characters or more.")
    ] = ""
    dev: Annotated[
        bool,
        Meta(
            description="Let anyone in without a token. Refused unless every listening address is "
            "a loopback address; so are requests from other machines or with a proxy's headers."
        ),
    ] = False
    cors_origins: Annotated[
        tuple[str, ...],
        Meta(
            description="Web origins whose pages may use the HTTP and WebSocket interfaces; `*` "
            "for any. With `dev`, only loopback origins may, whatever is set here."
        ),
    ] = ("*",)
    log_format: Annotated[
        Literal["console", "json"],
        Meta(description="`console` for people, `json` for machines."),
    ] = "console"
    log_level: Annotated[
        Literal["debug", "info", "warning", "error"],
        Meta(description="Least severe level that is logged."),
    ] = "info"

    grace_period: Annotated[
        Seconds,
        Meta(
            description="Seconds for which a participant whose signaling was lost stays in the "
            "room and may resume."
        ),
    ] = 15.0
    media_timeout: Annotated[
        Seconds,
        Meta(
            description="Seconds without an authenticated packet (ICE consent checks included, RFC "
            "7675) after which a peer's transport is taken as gone."
        ),
    ] = 30.0
    handshake_timeout: Annotated[
        Seconds, Meta(description="Seconds that a new transport has to finish ICE and DTLS.")
    ] = 30.0
    join_timeout: Annotated[
        Seconds, Meta(description="Seconds that a new WebSocket has to join or resume.")
    ] = 10.0
    empty_timeout: Annotated[
        Seconds, Meta(description="Seconds after which a room without participants is closed.")
    ] = 20.0
    shutdown_timeout: Annotated[
        Seconds, Meta(description="Seconds that a stopping server gives its connections to end.")
    ] = 5.0

    max_rooms: Annotated[Count, Meta(description="Rooms at one time.")] = 1000
    max_participants: Annotated[
        Count, Meta(description="Participants of one room, hidden ones included.")
    ] = 500
    max_tracks: Annotated[Count, Meta(description="Published tracks of one participant.")] = 16
    max_message_size: Annotated[
        Count, Meta(description="Bytes of one WebSocket message or HTTP body.")
    ] = 2_097_152
    max_message_rate: Annotated[
        Count,
        Meta(
            description="WebSocket messages a second of one client, after a burst of 4 times that."
        ),
    ] = 50
    # Browsers write about 3000 bytes for each m-line; as JSON, in messages, they are some more.
    max_sdp_size: Annotated[Count, Meta(description="Bytes of one session description.")] = (
        1_048_576
    )
    max_media_sections: Annotated[
        Count, Meta(description="m-lines of one session description.")
    ] = 256
    max_metadata_size: Annotated[
        Count, Meta(description="Bytes of a participant's metadata, and of all its attributes.")
    ] = 16_384
    max_attributes: Annotated[Count, Meta(description="Attributes of one participant.")] = 64
    max_name_size: Annotated[
        Count,
        Meta(description="Characters of a room name, identity, display name, track name or topic."),
    ] = 256
    max_data_size: Annotated[Count, Meta(description="Bytes of one data message's payload.")] = (
        32_768
    )
    max_data_rate: Annotated[
        Count,
        Meta(description="Data messages a second of one participant, after a burst of twice that."),
    ] = 100
    max_websockets: Annotated[Count, Meta(description="WebSockets at one time.")] = 5000
    max_pending_websockets: Annotated[
        Count,
        Meta(
            description="WebSockets that have not joined, at one time; one more ends the oldest of "
            "them."
        ),
    ] = 500
    max_pending_transports: Annotated[
        Count, Meta(description="Transports that have not finished ICE and DTLS, at one time.")
    ] = 1000
    max_pending_sessions: Annotated[
        Count,
        Meta(
            description="WHIP and WHEP sessions of one token's identity in one room, or without "
            "tokens of one address, that have not finished ICE and DTLS, at one time."
        ),
    ] = 200
    max_tcp_connections: Annotated[Count, Meta(description="ICE-TCP connections at one time.")] = (
        1000
    )
    max_tcp_connections_per_host: Annotated[
        Count,
        Meta(
            description="ICE-TCP connections at one time of one IPv4 address, or of one IPv6 "
            "network of 64 bits. Participants behind one NAT share them, at two each."
        ),
    ] = 200
    max_tcp_frame_size: Annotated[
        Annotated[int, Meta(ge=576, le=2048)],  # no more fits where received datagrams lie
        Meta(description="Bytes of one frame on an ICE-TCP connection (RFC 4571)."),
    ] = 2048
    max_tcp_buffer: Annotated[
        Count,
        Meta(description="Bytes waiting for one slow ICE-TCP peer before its packets are dropped."),
    ] = 524_288
    congestion_control: Annotated[
        bool,
        Meta(
            description="Whether to estimate what the path to each client takes and to choose "
            "layers that fit. Without, everyone gets what it wants."
        ),
    ] = True
    dynacast: Annotated[
        bool,
        Meta(
            description="Whether publishers are told which layers nobody wants, so that they need "
            "not encode them."
        ),
    ] = True
    last_n: Annotated[
        CountOrNone,
        Meta(
            description="Cameras that each participant of a room gets: those of who spoke last; 0 "
            "for all."
        ),
    ] = 0
    audio_top_k: Annotated[
        CountOrNone,
        Meta(
            description="Microphones that each participant of a room gets: the loudest; 0 for all."
        ),
    ] = 0
    trace: Annotated[
        str,
        Meta(
            description="Directory for traces of estimates and choices, one file for each "
            "participant, which `benchmarks/replay.py` reads; empty for none."
        ),
    ] = ""
    packet_cache_size: Annotated[
        Annotated[int, Meta(ge=64, le=16384)],
        Meta(description="Packets of one video stream kept for retransmission."),
    ] = 1024

    recordings_dir: Annotated[
        str,
        Meta(
            description="Folder in which recordings are kept; empty for none, so that nobody can."
        ),
    ] = "recordings"
    recording_template: Annotated[
        str,
        Meta(
            description="Names of their files in it. What is before and with `{recording}` is the "
            "folder of one recording, of `{room}`, `{date}`, `{time}` and `{recording}`; the rest "
            "names its files, of `{identity}`, `{name}`, `{source}`, `{kind}` and `{track}` too."
        ),
    ] = "{room}/{date}/{recording}/{identity}-{source}.mkv"
    recording_free_space: Annotated[
        CountOrNone,
        Meta(description="Bytes that recordings leave free on their disk: below, they end."),
    ] = 1_073_741_824
    max_recordings: Annotated[Count, Meta(description="Recordings at one time.")] = 50
    record_rooms: Annotated[
        tuple[str, ...],
        Meta(
            description="Rooms that are recorded from their opening on: names, in which `*` and "
            "`?` stand for any characters; several allowed."
        ),
    ] = ()
    record_mode: Annotated[
        Literal["tracks", "composite"],
        Meta(
            description="How these are recorded: `tracks`, each by itself, or `composite`, one "
            "picture and one mix."
        ),
    ] = "tracks"
    recording_storage: Annotated[
        Literal["local", "s3"],
        Meta(description="Where recordings end up: `local` or `s3`, any store of that kind."),
    ] = "local"
    recording_keep_local: Annotated[
        bool,
        Meta(description="Whether files stay in `recordings_dir` when they are in the store."),
    ] = False
    recording_days: Annotated[
        CountOrNone, Meta(description="Days after which recordings are deleted; 0 for never.")
    ] = 0
    recording_bytes: Annotated[
        CountOrNone,
        Meta(
            description="Bytes that all recordings may have together: the oldest are deleted when "
            "they have more; 0 for any number."
        ),
    ] = 0
    s3_bucket: Annotated[str, Meta(description="Bucket of the store.")] = ""
    s3_prefix: Annotated[str, Meta(description="Put before all keys in it.")] = ""
    s3_endpoint: Annotated[
        str, Meta(description="URL of a store that is not Amazon's; empty for Amazon.")
    ] = ""
    s3_region: Annotated[str, Meta(description="Region of the bucket, where it has one.")] = ""
    s3_access_key: Annotated[
        str,
        Meta(
            description="Access key; empty for the usual ones of AWS (environment, files, roles)."
        ),
    ] = ""
    s3_secret_key: Annotated[str, Meta(description="Its secret.")] = ""

    @property
    def media_hosts(self) -> tuple[str, ...]:
        """The addresses that media listens on."""
        return self.media_host or self.host
