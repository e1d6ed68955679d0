"""Whether a recording can be made as somebody asks for it: before anything is started."""

import fnmatch
import re
from collections.abc import Sequence

from recorder.files import names
from recorder.live.addresses import AddressError, parse_address
from recorder.values import Format, Mode, RecordingRequest
from sfu.config import Config
from sfu.errors import LimitError, RemoteError

FORMATS: dict[Mode, tuple[Format, ...]] = {
    "tracks": ("mkv", "webm", "mp4"),
    "composite": ("mp4", "webm"),
}
MIN_SIDE, MAX_SIDE = 64, 3840  # pixels
MAX_AREA = 3840 * 2160  # pixels; 4K, upright too
MAX_FPS = 60
MAX_LISTED = 1024  # identities or tracks that one request may name
MAX_OUTPUTS = 8  # each has a thread and a queue of its own
COLOR = re.compile("#[0-9A-Fa-f]{6}")
# What only a composite has.
PICTURE = ("layout", "width", "height", "fps", "background", "file", "hls", "outputs")

_DEFAULTS = RecordingRequest()


def check(request: RecordingRequest, config: Config) -> None:
    """Refuse what cannot be recorded.

    Raises:
        RemoteError: "bad_request"; the message says what is wrong, and what would be right.
        LimitError: "too_large": a list or a text is too long.
    """
    formats = FORMATS[request.mode]
    if request.format is not None and request.format not in formats:
        raise RemoteError(f"The format of {request.mode} must be {_either(formats)}.")
    if request.storage == "s3" and not config.s3_bucket:
        raise RemoteError("This server has no s3 storage: its setting s3_bucket is empty.")
    if request.template is not None:
        try:
            names.check(request.template)
        except names.TemplateError as error:
            raise RemoteError(f"The template cannot be used: {error}.") from None
    for what, listed in (("identities", request.identities), ("tracks", request.tracks)):
        _check_list(what, listed, config)
    if request.mode == "composite":
        _check_composite(request)
        return
    for name in PICTURE:
        if getattr(request, name) != getattr(_DEFAULTS, name):
            raise RemoteError(f"{name} is for the mode composite alone.")


def is_wanted(room: str, config: Config) -> bool:
    """Whether a room of this name is recorded without being asked."""
    patterns = (pattern.replace("[", "[[]") for pattern in config.record_rooms)  # no sets
    return any(fnmatch.fnmatchcase(room, pattern) for pattern in patterns)


def _check_list(what: str, listed: Sequence[str] | None, config: Config) -> None:
    if listed is None:
        return
    if not listed:
        raise RemoteError(f"{what} is empty: leave it out to record all.")
    if len(listed) > MAX_LISTED:
        raise LimitError(f"{what} may have {MAX_LISTED} entries at most.", name="too_large")
    if any(len(one) > config.max_name_size for one in listed):
        raise LimitError(
            f"Each of {what} may have {config.max_name_size} characters at most.", name="too_large"
        )


def _check_composite(request: RecordingRequest) -> None:
    for name in ("width", "height"):
        side = getattr(request, name)
        if not MIN_SIDE <= side <= MAX_SIDE or side % 2:  # 4:2:0 halves both
            raise RemoteError(f"{name} must be an even number from {MIN_SIDE} to {MAX_SIDE}.")
    if request.width * request.height > MAX_AREA:
        raise RemoteError(f"width times height may be {MAX_AREA} at most.")
    if not 1 <= request.fps <= MAX_FPS:
        raise RemoteError(f"fps must be from 1 to {MAX_FPS}.")
    if not COLOR.fullmatch(request.background):
        raise RemoteError("background must be a color like #16181d.")
    if len(request.outputs) > MAX_OUTPUTS:
        raise LimitError(f"There may be {MAX_OUTPUTS} outputs at most.", name="too_large")
    if request.outputs and request.format == "webm":
        raise RemoteError("What outputs get is H.264 and AAC, so the format must be mp4.")
    for url in request.outputs:
        try:
            parse_address(url)
        except AddressError as error:  # it does not repeat the address: a key may be in it
            raise RemoteError(str(error)) from None
    if len(set(request.outputs)) < len(request.outputs):
        raise RemoteError("The same address is twice in outputs.")
    if not (request.file or request.hls or request.outputs):
        raise RemoteError("With file off, there must be hls or outputs: else nothing is made.")


def _either(choices: Sequence[str]) -> str:
    return f"{', '.join(choices[:-1])} or {choices[-1]}"
