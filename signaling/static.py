"""The browser client: files of the `web` package, served as they are."""

from collections.abc import Awaitable, Callable
from html import escape
from importlib.resources import files
from pathlib import Path

from aiohttp import hdrs, web

# Only these leave the directory: no Python, no editor's leftovers, nothing hidden.
CONTENT_TYPES = {
    ".css": "text/css; charset=utf-8",
    ".html": "text/html; charset=utf-8",
    ".ico": "image/x-icon",
    ".js": "text/javascript; charset=utf-8",
    ".json": "application/json",
    ".mjs": "text/javascript; charset=utf-8",
    ".png": "image/png",
    ".svg": "image/svg+xml",
    ".wav": "audio/wav",
    ".webmanifest": "application/manifest+json",
    ".woff2": "font/woff2",
}

# The names of files do not change with their content, so browsers must ask whether theirs is still
# the newest; the answer is mostly a short 304.
CACHE_CONTROL = "no-cache"

HEADERS = {
    hdrs.CACHE_CONTROL: CACHE_CONTROL,
    # Pages need nothing from elsewhere, and nobody else's script may run in them. 'self' covers
    # WebSockets to the same host (CSP Level 3).
    hdrs.CONTENT_SECURITY_POLICY: (
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data: blob:; "
        "media-src 'self' blob:; font-src 'self'; connect-src 'self'; manifest-src 'self'; "
        "worker-src 'self'; base-uri 'none'; form-action 'self'; frame-ancestors 'self'"
    ),
    "Permissions-Policy": (
        "camera=(self), microphone=(self), display-capture=(self), fullscreen=(self), "
        "picture-in-picture=(self), autoplay=(self), geolocation=(), payment=(), usb=()"
    ),
}


class StaticFiles:
    """The files below a directory that may be served, found once: no path can lead outside."""

    def __init__(self, root: Path) -> None:
        self._files = {
            path.relative_to(root).as_posix(): path
            for path in root.rglob("*")
            if path.suffix in CONTENT_TYPES
            and path.is_file()
            and not any(part.startswith(".") for part in path.relative_to(root).parts)
        }

    def response(self, name: str) -> web.FileResponse:
        """The file with this path below the root.

        Raises:
            HTTPNotFound: There is none.
        """
        path = self._files.get(name)
        if path is None:
            raise web.HTTPNotFound
        content_type = CONTENT_TYPES[path.suffix]
        return web.FileResponse(path, headers={**HEADERS, hdrs.CONTENT_TYPE: content_type})


def routes() -> list[web.RouteDef]:
    """`/`, `/r/{room}`, `/assets/…` and `/client/…`."""
    root = Path(str(files("web")))
    assets = StaticFiles(root)
    client = StaticFiles(root / "client")

    async def page(request: web.Request) -> web.StreamResponse:
        response = assets.response("index.html")
        # Mounted in another application, everything is below its path; the page alone cannot know
        # where, because `/` and `/r/{room}` are at different depths.
        room = request.match_info.get("room")
        mount = request.raw_path.partition("?")[0]
        mount = mount.rpartition("/r/")[0] if room is not None else mount.removesuffix("/")
        if not mount:
            return response
        text = (root / "index.html").read_text().replace('="/assets/', f'="{escape(mount)}/assets/')
        return web.Response(text=text, headers=response.headers)

    def below(directory: StaticFiles) -> Callable[[web.Request], Awaitable[web.StreamResponse]]:
        async def file(request: web.Request) -> web.StreamResponse:
            return directory.response(request.match_info["path"])

        return file

    return [
        web.get("/", page),
        web.get("/r/{room}", page),
        web.get("/assets/{path:.+}", below(assets)),
        web.get("/client/{path:.+}", below(client)),
    ]
