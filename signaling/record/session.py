"""One recording from its start to its end, as the command sees it."""

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import suppress

from recorder.values import ENDED, RecordingRequest
from sfu.errors import LocalError
from signaling.messages import RecordingInfo
from signaling.record.client import RecordingClient, ServerGoneError
from signaling.record.display import Display

INTERVAL = 1.0  # s between two looks
PATIENCE = 30.0  # s without the server, in which it may be started again


class Wishes:
    """What the person at the terminal wants: to end the recording, then not to wait for that."""

    def __init__(self) -> None:
        self.stop = asyncio.Event()
        self.leave = asyncio.Event()

    def interrupt(self) -> None:
        """Ctrl-C."""
        (self.leave if self.stop.is_set() else self.stop).set()


async def record(
    client: RecordingClient,
    room: str,
    request: RecordingRequest,
    *,
    display: Display,
    wishes: Wishes,
    interval: float = INTERVAL,
    patience: float = PATIENCE,
) -> RecordingInfo:
    """Record a room until the recording ends, by itself or by wish.

    Args:
        client: Of the server.
        room: Its name.
        request: What to record.
        display: Shows how it goes.
        wishes: May come at any time.
        interval: Seconds between two looks.
        patience: Seconds for which the server may be away.

    Returns:
        The recording; it has not ended where nobody wanted to wait.

    Raises:
        LocalError: It was refused, or nothing more can be known of it.
    """
    recording = await client.start(room, request)
    recording_id = recording.id
    display.note(f"Recording {recording.id} of {room}; Ctrl-C ends it.")
    if request.hls:
        display.note(f"HLS: {client.hls_url(recording_id)}")
    told = False

    async def ask(question: Callable[[], Awaitable[RecordingInfo]]) -> RecordingInfo:
        return await _patiently(question, display, wishes.leave, patience)

    while recording.state not in ENDED and not wishes.leave.is_set():
        display.show(recording)
        if wishes.stop.is_set() and not told:
            display.note("Ending; Ctrl-C again does not wait for that.")
            recording = await ask(lambda: client.stop(recording_id))
            told = True
            continue
        await _pause(wishes.leave if told else wishes.stop, interval)
        recording = await ask(lambda: client.get(recording_id))
    display.show(recording)
    return recording


async def _pause(wish: asyncio.Event, seconds: float) -> None:
    """Wait, but not longer than until somebody wishes for something."""
    with suppress(TimeoutError):
        await asyncio.wait_for(wish.wait(), seconds)


async def _patiently(
    question: Callable[[], Awaitable[RecordingInfo]],
    display: Display,
    leave: asyncio.Event,
    patience: float,
) -> RecordingInfo:
    """Ask, again if the server is away for a moment.

    Raises:
        LocalError: It is away for too long, or refuses.
    """
    loop = asyncio.get_running_loop()
    deadline = loop.time() + patience
    told = False
    while True:
        try:
            return await question()
        except ServerGoneError as error:
            if loop.time() > deadline or leave.is_set():
                raise LocalError(
                    f"{error.message} The recording may still go on there.", name=error.name
                ) from error
            if not told:
                display.note(f"{error.message} Trying again…")
                told = True
            await _pause(leave, min(INTERVAL, patience / 10))
