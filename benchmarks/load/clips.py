"""Clips ready to play: encoded once, and kept in the user's cache directory."""

import hashlib
import os
from collections.abc import Sequence
from pathlib import Path

import msgspec

from benchmarks.load.description import kind
from benchmarks.load.media import RIDS, RTP_HEADER_SIZE, Clip, Encoding, Frame
from benchmarks.load.model import LoadError, LoadPlan
from benchmarks.load.payloads import PAYLOADS

FORMAT = 2  # of the cached files; raise it when they or the encoder's settings change
BITRATE = 1_000_000  # bit/s of video, where the plan says nothing
EXTENSION_SIZE = 16  # bytes of header extension that simulcast adds
SCALES = {"q": 4, "h": 2, "f": 1}  # by how much a rid's picture is smaller
SHARES = {"q": 0.08, "h": 0.3, "f": 1.0}  # and its bitrate


class _Stored(msgspec.Struct, array_like=True):
    """A cached file: encoded frames, not cut yet, which are key frames, and how they were made."""

    frames: list[bytes]
    keys: list[bool]
    origin: str


def load_clip(plan: LoadPlan) -> Clip:
    """The clip that a plan asks for; encodes it where it is not in the cache yet.

    Raises:
        LoadError: The file cannot be used, or the cache cannot be written.
    """
    if plan.packets_per_frame:
        return Clip.synthetic(
            plan.codecs, packets_per_frame=plan.packets_per_frame, packet_size=plan.packet_size
        )
    tracks: dict[str, Sequence[Encoding]] = {}
    for codec in plan.codecs:
        simulcast = plan.simulcast and kind(codec) == "video"
        rids = RIDS if simulcast else ("",)
        tracks[codec] = [_encoding(plan, codec, rid) for rid in rids]
    return Clip(tracks)


def frame_rate(plan: LoadPlan) -> float:
    """The frames a second of the plan's file; the plan's own where it has none.

    Raises:
        LoadError: The file cannot be read.
    """
    from benchmarks.load import copying, encoding  # slow to import, and seldom needed

    try:
        return copying.frame_rate(Path(plan.clip)) or plan.fps
    except encoding.MediaError as error:
        raise LoadError(str(error)) from error


def origins(plan: LoadPlan) -> dict[str, str]:
    """What was done to the user's file for each codec; nothing without a file.

    Raises:
        LoadError: As of `load_clip`.
    """
    rid = RIDS[-1] if plan.simulcast else ""
    return {
        codec: _stored(plan, codec, rid if kind(codec) == "video" else "").origin
        for codec in plan.codecs
        if plan.clip
    }


def _encoding(plan: LoadPlan, codec: str, rid: str) -> Encoding:
    stored = _stored(plan, codec, rid)
    max_size = plan.packet_size - RTP_HEADER_SIZE - (EXTENSION_SIZE if rid else 0)
    frames = []
    for data, key in zip(stored.frames, stored.keys, strict=True):
        try:
            payloads = PAYLOADS[codec](data, max_size)
        except ValueError as error:
            raise LoadError(f"The clip's {codec} does not fit in packets: {error}.") from error
        if payloads:
            frames.append(Frame(tuple(payloads), key))
    if not frames or not frames[0].key:
        raise LoadError("The clip does not begin with a key frame.")
    return Encoding(codec, tuple(frames), rid)


def _stored(plan: LoadPlan, codec: str, rid: str) -> _Stored:
    """The encoded frames, from the cache where they are there."""
    source = Path(plan.clip) if plan.clip else None
    video = kind(codec) == "video"
    bitrate = round((plan.bitrate or BITRATE) * SHARES.get(rid, 1.0))
    scale = SCALES.get(rid, 1)
    as_it_is = source is not None and not rid and not (video and plan.bitrate)
    settings: list[object] = [FORMAT, codec, as_it_is]
    if video:
        settings += [plan.fps, bitrate, scale]
    try:
        if source is not None:
            facts = source.stat()
            settings += [str(source.resolve()), facts.st_mtime_ns, facts.st_size]
        path = _cache() / f"{hashlib.sha256(repr(settings).encode()).hexdigest()[:24]}.clip"
        stored = _read(path)
        if stored is None:
            stored = _copied(source, codec, plan.fps) if source is not None and as_it_is else None
            stored = stored or _encode(source, codec, plan.fps, bitrate, scale)
            _write(path, stored)
    except OSError as error:
        raise LoadError(f"The clip cannot be used: {error.strerror}: {error.filename}.") from error
    return stored


def _copied(source: Path, codec: str, fps: float) -> _Stored | None:
    """A file's own packets, where they can be played as they are."""
    from benchmarks.load import copying, encoding  # slow to import, and seldom needed

    try:
        if codec == "opus":
            packets = copying.copy_audio(source)
            frames = None if packets is None else [(data, True) for data in packets]
        else:
            frames = copying.copy_video(codec, source, fps=fps)
    except encoding.MediaError as error:
        raise LoadError(str(error)) from error
    return None if frames is None else _made(frames, "played as it is")


def _encode(source: Path | None, codec: str, fps: float, bitrate: int, scale: int) -> _Stored:
    from benchmarks.load import encoding  # slow to import, and seldom needed

    try:
        if codec == "opus":
            frames = [(data, True) for data in encoding.encode_audio(source)]
        else:
            frames = encoding.encode_video(codec, source, fps=fps, bitrate=bitrate, scale=scale)
    except encoding.MediaError as error:
        raise LoadError(str(error)) from error
    return _made(frames, "encoded anew")


def _made(frames: Sequence[tuple[bytes, bool]], origin: str) -> _Stored:
    return _Stored([data for data, _ in frames], [key for _, key in frames], origin)


def _cache() -> Path:
    base = os.environ.get("XDG_CACHE_HOME") or "~/.cache"
    return Path(base).expanduser() / "aiosfu" / "clips"


def _read(path: Path) -> _Stored | None:
    try:
        return msgspec.msgpack.decode(path.read_bytes(), type=_Stored)
    except (FileNotFoundError, msgspec.MsgspecError):
        return None  # a damaged one is made again


def _write(path: Path, stored: _Stored) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_suffix(f".{os.getpid()}")
    temporary.write_bytes(msgspec.msgpack.encode(stored))
    temporary.replace(path)
