"""Where the parts of the aiohttp application keep what they share."""

from typing import TYPE_CHECKING

from aiohttp import web

from sfu.config import Config

if TYPE_CHECKING:
    from signaling.server import MediaServer

CONFIG = web.AppKey("config", Config)
SERVER: "web.AppKey[MediaServer]" = web.AppKey("server")
