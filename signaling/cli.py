"""The `aiosfu` command."""

import asyncio
import base64
import os
import re
from collections.abc import Callable
from importlib.metadata import entry_points, version
from typing import Any

import click
import msgspec
from msgspec import inspect

from sfu.errors import LocalError
from sfu.room.permissions import SOURCES
from signaling import logs
from signaling.record.cli import record
from signaling.setting_table import SETTINGS, Setting
from signaling.settings import FILE_VARIABLE, load
from signaling.tokens import AccessToken, VideoGrant, mint

COMMANDS = "aiosfu.commands"  # group of entry points
UNITS = {"": 1, "s": 1, "m": 60, "h": 3600, "d": 86400}  # s


class BadSetting(click.ClickException):
    """Ends the command with one clear line instead of a traceback."""

    exit_code = 2  # as click has it for wrong usage


def _option(setting: Setting) -> click.Option:
    """The flag of a setting; values stay text, because `load` reads all three places alike."""
    default = ", ".join(setting.default) if isinstance(setting.default, tuple) else setting.default
    help_text = setting.description
    if default not in ("", None):
        help_text += f"  [default: {str(default).lower() if setting.is_switch else default}]"
    if setting.is_switch:
        declaration = f"{setting.flag}/--no-{setting.flag[2:]}"
        return click.Option([declaration, setting.name], default=None, help=help_text)
    metavars = {inspect.IntType: "NUMBER", inspect.FloatType: "SECONDS"}
    return click.Option(
        [setting.flag, setting.name],
        multiple=setting.is_list,
        metavar="|".join(setting.choices) or metavars.get(type(setting.type), "TEXT"),
        help=help_text,
    )


def _settings_options(*names: str) -> Callable[[click.Command], click.Command]:
    """Add `--config` and the flags of these settings, of all where none are named."""

    def add(command: click.Command) -> click.Command:
        file = click.Option(
            ["--config", "config_file"],
            metavar="FILE",
            help=f"TOML file with settings (or {FILE_VARIABLE}); everything else beats it.",
        )
        command.params += [file, *(_option(SETTINGS[name]) for name in names or SETTINGS)]
        return command

    return add


def _given(flags: dict[str, Any]) -> dict[str, object]:
    """Those settings that were given on the command line."""
    return {
        name: value for name, value in flags.items() if name in SETTINGS and value not in (None, ())
    }


def _grant_options(command: click.Command) -> click.Command:
    """Add a flag for each grant."""
    for field in msgspec.structs.fields(VideoGrant):
        flag = field.name.replace("_", "-")
        if field.type is bool:
            option = click.Option([f"--{flag}/--no-{flag}"], default=None, help=_grant_help(field))
            command.params.append(option)
    sources = click.Option(
        ["--can-publish-sources"],
        multiple=True,
        type=click.Choice(SOURCES),
        help="Source that may be published; several allowed.  [default: all]",
    )
    command.params.append(sources)
    return command


def _grant_help(field: msgspec.structs.FieldInfo) -> str:
    if field.name == "room_join":
        return "Grant roomJoin.  [default: true with --room and --identity]"
    return f"Grant {field.encode_name}.  [default: {str(field.default).lower()}]"


def _seconds(_context: click.Context, _parameter: click.Parameter, text: str) -> int:
    """`90`, `90s`, `15m`, `6h` or `30d` in seconds."""
    match = re.fullmatch(r"([0-9]{1,9})([smhd]?)", text.strip())
    if match is None or int(match[1]) == 0:
        raise click.BadParameter(f'"{text}" is no time; write 90s, 15m, 6h or 30d.')
    return int(match[1]) * UNITS[match[2]]


def _attributes(
    _context: click.Context, _parameter: click.Parameter, texts: tuple[str, ...]
) -> dict[str, str]:
    """`key=value` texts as a dictionary."""
    for text in texts:
        if not text.partition("=")[0] or "=" not in text:
            raise click.BadParameter(f'"{text}" is not like KEY=VALUE.')
    return dict(text.split("=", 1) for text in texts)


class Commands(click.Group):
    """The commands below, and those that other packages bring (entry points `aiosfu.commands`)."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Names of all commands; those of other packages are not imported for that."""
        return sorted({*super().list_commands(ctx), *entry_points(group=COMMANDS).names})

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """The command of that name."""
        command = super().get_command(ctx, cmd_name)
        if command is not None or cmd_name not in entry_points(group=COMMANDS).names:
            return command
        found = entry_points(group=COMMANDS)[cmd_name].load()
        assert isinstance(found, click.Command)
        return found


@click.group(
    cls=Commands, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100}
)
@click.version_option(version("aiosfu"), prog_name="aiosfu", message="%(prog)s %(version)s")
def main() -> None:
    """A WebRTC server for rooms: browsers, WHIP, WHEP and Python programs."""


main.add_command(record)


@_settings_options()
@main.command()
def serve(config_file: str | None, **flags: Any) -> None:
    """Run the server until SIGINT or SIGTERM.

    Every flag can also be set in the environment (--http-port is AIOSFU_HTTP_PORT) or in a TOML
    file (http_port). Lists: repeat the flag, or put commas between.
    """
    try:
        config = load(_given(flags), environ=os.environ, file=config_file)
        logs.setup(format=config.log_format, level=config.log_level)
        from signaling.serving import serve as run  # slow to import: bad settings are told at once

        asyncio.run(run(config, announce=click.echo))
    except LocalError as error:
        raise BadSetting(error.message) from error
    except KeyboardInterrupt:  # a second Ctrl-C, while the first one is being served
        raise SystemExit(128 + 2) from None


@_grant_options
@_settings_options("api_key", "api_secret")
@main.command()
@click.option("--identity", default="", help="Who the bearer is, unique in the room.")
@click.option("--room", default="", help="The room to join, administer or record.")
@click.option("--name", default="", help="Display name.")
@click.option("--metadata", default="", help="Free text of the application.")
@click.option(
    "--attribute",
    "attributes",
    multiple=True,
    metavar="KEY=VALUE",
    callback=_attributes,
    help="Attribute of the participant; several allowed.",
)
@click.option(
    "--ttl",
    default="6h",
    metavar="TIME",
    show_default=True,
    callback=_seconds,
    help="Time until the token expires: 90s, 15m, 6h, 30d.",
)
@click.option("--show", is_flag=True, help="Print the claims too, as JSON on standard error.")
def token(
    config_file: str | None,
    identity: str,
    room: str,
    name: str,
    metadata: str,
    attributes: dict[str, str],
    ttl: int,
    show: bool,
    **flags: Any,
) -> None:
    """Print an access token.

    It is signed with api_key and api_secret, which are found like those of `serve`.
    """
    names = [field.name for field in msgspec.structs.fields(VideoGrant)]
    grants = {name: flags[name] for name in names if flags.get(name) not in (None, ())}
    if room and identity:
        grants.setdefault("room_join", True)
    if not any(grants.get(name) for name in names if name.startswith("room_")):
        raise click.UsageError(
            "The token would grant nothing. To join, give --room and --identity; there are also "
            "--room-list, --room-admin, --room-create and --room-record."
        )
    if grants.get("room_join") and not (room and identity):
        raise click.UsageError("To join, a token needs --room and --identity.")
    if grants.get("room_admin") and not room:
        raise click.UsageError("To administer, a token needs --room.")
    if grants.get("room_record") and not room:
        raise click.UsageError("To record, a token needs --room.")
    claims = AccessToken(
        identity=identity,
        name=name,
        metadata=metadata,
        attributes=attributes,
        video=VideoGrant(room=room, **grants),
    )
    try:
        config = load(_given(flags), environ=os.environ, file=config_file)
        text = mint(claims, api_key=config.api_key, api_secret=config.api_secret, lifetime=ttl)
    except LocalError as error:
        raise BadSetting(error.message) from error
    if show:
        payload = text.split(".")[1]
        plain = base64.urlsafe_b64decode(payload + "=" * (-len(payload) % 4))
        click.echo(msgspec.json.format(plain, indent=2), err=True)
    click.echo(text)
