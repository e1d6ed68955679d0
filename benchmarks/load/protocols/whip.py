"""WHIP to publish (RFC 9725), WHEP to subscribe: any server that speaks them."""

from collections.abc import Callable
from urllib.parse import urljoin

from benchmarks.load import description
from benchmarks.load.connection import Connection
from benchmarks.load.description import Line
from benchmarks.load.failures import JoinError
from benchmarks.load.model import ClientSpec
from benchmarks.load.protocols.base import Context, Protocol

_UNAUTHORIZED = (401, 403)


def endpoint(url: str, kind: str, room: str) -> str:
    """The address to post offers to; `kind` is "whip" or "whep"."""
    if "{room}" in url or "{kind}" in url:
        return url.replace("{room}", room).replace("{kind}", kind)
    return f"{url.rstrip('/')}/{kind}/{room}"


class WhipClient(Protocol):
    """Publishes with one session, subscribes with another."""

    def __init__(
        self, context: Context, spec: ClientSpec, *, on_closed: Callable[[str | Exception], None]
    ) -> None:
        super().__init__(context, spec, on_closed=on_closed)
        self._resources: list[str] = []

    async def join(self) -> None:
        """See `Protocol.join`."""
        if self.spec.publishes:
            lines = self.sending_lines()
            connection = self.connection()
            text = await self._post("whip", connection, lines)
            answer = description.read(text)
            self.publish(connection, lines, description.agreed(answer))
            end = description.remote_end(answer, text)
            await connection.connect(end, deadline=self.deadline)
            assert self.publisher is not None
            self.publisher.start()
        if self.spec.subscribes:
            connection = self.connection()
            subscriber = self.subscriber(connection)
            text = await self._post("whep", connection, self.receiving_lines())
            answer = description.read(text)
            subscriber.agree(description.agreed(answer))
            end = description.remote_end(answer, text)
            await connection.connect(end, deadline=self.deadline)
            subscriber.start()

    async def leave(self) -> None:
        """See `Protocol.leave`."""
        while self._resources:
            async with self.context.http.delete(self._resources.pop(), headers=self._headers()):
                pass

    def _headers(self) -> dict[str, str]:
        token = self.token()
        return {"Authorization": f"Bearer {token}"} if token else {}

    async def _post(self, kind: str, connection: Connection, lines: list[Line]) -> str:
        url = endpoint(self.context.plan.url, kind, self.spec.room)
        headers = {"Content-Type": "application/sdp", **self._headers()}
        offer = self.offer(connection, lines)
        async with self.context.http.post(url, data=offer.encode(), headers=headers) as response:
            text = await response.text(errors="replace")
            if response.status not in (200, 201):
                what = _refusal(response.status, token=bool(self.token()))
                raise JoinError(f"The server {what} {url} ({response.status} {response.reason}).")
            location = response.headers.get("Location")
            if location:
                self._resources.append(_resource(str(response.url), location))
            return text


def _refusal(status: int, *, token: bool) -> str:
    """What a server does that answers an offer so, before the address."""
    if status in _UNAUTHORIZED:
        return "refused the token at" if token else "wants an access token (--token) at"
    return "knows nothing at" if status == 404 else "refused the offer at"


def _resource(url: str, location: str) -> str:
    """The address of a session, from its Location header."""
    try:
        return urljoin(url, location)
    except ValueError:
        raise JoinError(f'The server\'s Location header "{location}" is no URL.') from None
