"""`aiosfu record`: options, exit codes and signals."""

import asyncio
import getpass
import os
import re
import signal
import sys
from collections.abc import Callable
from contextlib import suppress
from typing import TYPE_CHECKING, Any, get_args

import click

from recorder.values import ENDED, Format, Layout, Mode, RecordingRequest, Storage
from sfu.errors import LocalError
from signaling.setting_table import SETTINGS
from signaling.settings import FILE_VARIABLE, TOKEN_VARIABLE, load
from signaling.tokens import AccessToken, VideoGrant, mint

if TYPE_CHECKING:  # aiohttp is slow to import: `aiosfu --help` does without
    from signaling.messages import RecordingInfo
    from signaling.record.client import RecordingClient
    from signaling.record.display import Display
    from signaling.record.session import Wishes

COMPLETE, FAILED, UNUSABLE, LEFT = 0, 1, 2, 130  # exit codes
TOKEN_LIFETIME = 600  # s; each request gets one of its own
UNITS = {"": 1, "s": 1, "m": 60, "h": 3600}  # s


def _size(
    _context: click.Context, _parameter: click.Parameter, text: str | None
) -> tuple[int, int] | None:
    """`1280x720` as two numbers."""
    if text is None:
        return None
    match = re.fullmatch(r"([0-9]{1,5})[x×]([0-9]{1,5})", text)
    if match is None:
        raise click.BadParameter(f'"{text}" is no size; write it like 1280x720.')
    return int(match[1]), int(match[2])


def _duration(
    _context: click.Context, _parameter: click.Parameter, text: str | None
) -> float | None:
    """`90`, `90s`, `15m` or `2h` in seconds."""
    if text is None:
        return None
    match = re.fullmatch(r"([0-9]{1,9})([smh]?)", text.strip())
    if match is None or int(match[1]) == 0:
        raise click.BadParameter(f'"{text}" is no time; write 90s, 15m or 2h.')
    return float(int(match[1]) * UNITS[match[2]])


def _choice(literal: object) -> click.Choice[str]:
    return click.Choice(get_args(literal))


def _setting(name: str) -> str:
    return f"{SETTINGS[name].description}  [or {SETTINGS[name].variable}]"


@click.command()
@click.argument("room")
@click.option(
    "--url",
    default="http://127.0.0.1:8080",
    show_default=True,
    help="Of the server, with the path that it is mounted at.",
)
@click.option(
    "--token",
    default="",
    envvar=TOKEN_VARIABLE,
    help=f"Access token with roomRecord or roomAdmin for the room (better in {TOKEN_VARIABLE}: "
    "all users of the machine see options). Without, one is made with api_key and api_secret, "
    "which are found like those of `serve`; none where there are none.",
)
@click.option("--by", default="", help="Who is told to have started it.  [default: the login name]")
@click.option("--config", "config_file", metavar="FILE", help=f"TOML file (or {FILE_VARIABLE}).")
@click.option("--api-key", default="", help=_setting("api_key"))
@click.option("--api-secret", default="", help=_setting("api_secret"))
@click.option(
    "--mode",
    type=_choice(Mode),
    default="tracks",
    show_default=True,
    help="tracks: each by itself, as it is sent; composite: one picture and one mix.",
)
@click.option(
    "--format", "file_format", type=_choice(Format), help="Of the files.  [default: mkv or mp4]"
)
@click.option("--identity", "identities", multiple=True, help="Whose tracks; several allowed.")
@click.option("--track", "tracks", multiple=True, help="A track, by its sid; several allowed.")
@click.option("--layout", type=_choice(Layout), help="Of a composite.  [default: grid]")
@click.option("--size", metavar="WxH", callback=_size, help="Of a composite.  [default: 1280x720]")
@click.option("--fps", type=click.IntRange(1), help="Of a composite.  [default: 30]")
@click.option("--background", metavar="#RRGGBB", help="Color of a composite.  [default: #16181d]")
@click.option("--file/--no-file", default=True, help="Whether to write a composite to a file.")
@click.option("--hls", is_flag=True, help="Serve a composite as HLS.")
@click.option(
    "--output",
    "outputs",
    multiple=True,
    metavar="URL",
    help="Push a composite there, rtmp://, rtmps:// or srt://; several allowed.",
)
@click.option("--storage", type=_choice(Storage), help="Where files go.  [default: the server's]")
@click.option("--template", help="Names of the files.  [default: the server's]")
@click.option("--duration", metavar="TIME", callback=_duration, help="End it after 90s, 15m or 2h.")
@click.option("--json", "as_json", is_flag=True, help="Print the recording as JSON when it ends.")
@click.option("--quiet", is_flag=True, help="Show nothing while it goes on.")
def record(
    room: str,
    url: str,
    token: str,
    by: str,
    config_file: str | None,
    api_key: str,
    api_secret: str,
    duration: float | None,
    as_json: bool,
    quiet: bool,
    **wanted: Any,
) -> None:
    """Have a server record ROOM, and show how it goes. Ctrl-C ends the recording.

    Exit code: 0 when the recording is complete, 1 when it failed, 2 when it could not be started,
    130 when a second Ctrl-C did not wait for its end.
    """
    from signaling.record.client import RecordingClient
    from signaling.record.display import display

    by = by or _login_name()
    show = display(sys.stderr, quiet=quiet)
    try:
        make_token = _token_maker(
            token, room, by, {"api_key": api_key, "api_secret": api_secret}, config_file
        )
        recording = asyncio.run(
            _run(
                RecordingClient(url, make_token, by=by),
                room,
                _request(wanted),
                show,
                duration,
                as_json=as_json,
            )
        )
    except LocalError as error:
        show.close()
        click.echo(f"Error: {error.message}", err=True)
        raise SystemExit(UNUSABLE) from None
    show.close()
    if recording.state not in ENDED:
        raise SystemExit(LEFT)
    raise SystemExit(COMPLETE if recording.state == "complete" else FAILED)


def _request(wanted: dict[str, Any]) -> RecordingRequest:
    """What the options say; what was not given stays as it is by default."""
    wanted["width"], wanted["height"] = wanted.pop("size") or (None, None)
    wanted["format"] = wanted.pop("file_format")
    for name in ("identities", "tracks"):
        wanted[name] = wanted[name] or None
    return RecordingRequest(**{name: value for name, value in wanted.items() if value is not None})


def _token_maker(
    token: str, room: str, by: str, flags: dict[str, str], config_file: str | None
) -> Callable[[], str]:
    """What makes the token of each request.

    Raises:
        LocalError: A setting is wrong.
    """
    if token:
        return lambda: token
    given = {name: value for name, value in flags.items() if value}
    places = [SETTINGS[name].variable for name in flags] + [FILE_VARIABLE]
    if not given and not config_file and not any(os.environ.get(name) for name in places):
        return lambda: ""  # a server with `dev`
    config = load(given, environ=os.environ, file=config_file)
    if not config.api_key:
        return lambda: ""
    claims = AccessToken(identity=by, video=VideoGrant(room=room, room_record=True))
    return lambda: mint(
        claims, api_key=config.api_key, api_secret=config.api_secret, lifetime=TOKEN_LIFETIME
    )


def _login_name() -> str:
    try:
        return getpass.getuser()
    except (OSError, KeyError):  # nobody has this user id
        return "aiosfu record"


async def _run(
    client: "RecordingClient",
    room: str,
    request: RecordingRequest,
    show: "Display",
    duration: float | None,
    *,
    as_json: bool,
) -> "RecordingInfo":
    import msgspec

    from signaling.record.display import table
    from signaling.record.session import Wishes
    from signaling.record.session import record as run

    wishes = Wishes()
    _listen(wishes)
    if duration is not None:
        asyncio.get_running_loop().call_later(duration, wishes.stop.set)
    async with client:
        recording = await run(client, room, request, display=show, wishes=wishes)
        if as_json:
            click.echo(msgspec.json.encode(recording))
        elif recording.state in ENDED:
            for line in table(await client.files(recording.id)):
                click.echo(line)
    return recording


def _listen(wishes: "Wishes") -> None:
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        with suppress(NotImplementedError):  # Windows: Ctrl-C ends the command at once
            loop.add_signal_handler(number, wishes.interrupt)
