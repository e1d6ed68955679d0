"""WHIP and WHEP through a proxy that may change what both sides say."""

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

import aiohttp
from aiohttp import web

Edit = Callable[[str, str], str]  # the text, and "whip" or "whep"
Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


@asynccontextmanager
async def serving(handler: Handler) -> AsyncIterator[str]:
    """A server that does this for every request; its URL."""
    app = web.Application()
    app.router.add_route("*", "/{path:.*}", handler)
    runner = web.AppRunner(app, shutdown_timeout=0.1)
    await runner.setup()
    try:
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        yield f"http://127.0.0.1:{runner.addresses[0][1]}"
    finally:
        await runner.cleanup()


def unchanged(text: str, _kind: str) -> str:
    return text


@asynccontextmanager
async def whip_proxy(
    url: str, *, edit_offer: Edit = unchanged, edit_answer: Edit = unchanged
) -> AsyncIterator[str]:
    """A proxy in front of the server at `url`; its own URL."""
    async with aiohttp.ClientSession() as http:

        async def forward(request: web.Request) -> web.Response:
            kind = request.path.split("/")[1]
            body = await request.text()
            headers = {k: v for k, v in request.headers.items() if k in ("Content-Type",)}
            data = edit_offer(body, kind).encode() if body else None
            target = url + request.path
            async with http.request(request.method, target, data=data, headers=headers) as answer:
                text = await answer.text()
                if body:
                    text = edit_answer(text, kind)
                told = {k: v for k, v in answer.headers.items() if k in ("Location",)}
                return web.Response(status=answer.status, text=text, headers=told)

        async with serving(forward) as proxy:
            yield proxy


def without_simulcast(offer: str, _kind: str) -> str:
    """The offer as a server sees it that knows nothing of simulcast."""
    unknown = ("a=simulcast:", "a=rid:", "a=extmap:10 ")
    return "".join(f"{line}\r\n" for line in offer.splitlines() if not line.startswith(unknown))
