"""One client's session: its requests become calls of the room, the room's events messages to it."""

from collections.abc import Callable, Mapping
from typing import Any, Protocol

from msgspec import UNSET, UnsetType, structs

from recorder.manager import RecordingManager
from sfu.config import Config
from sfu.errors import LocalError, RemoteError, SfuError
from sfu.room.events import (
    ChannelMessage,
    DataReceived,
    Disconnected,
    NegotiationNeeded,
    RoomEvent,
)
from sfu.room.rooms import Rooms
from signaling import commands, messages, recording_commands
from signaling.admission import admit, check_resume
from signaling.logs import get_logger
from signaling.members import Member, Members
from signaling.messages import Error, Event, Ok, Reply, Request
from signaling.negotiator import Media
from signaling.notices import disconnected, joined, notice, offered, present_state, refusal
from signaling.session_log import SessionLog


class Server(Protocol):
    """What a session needs of the media server."""

    @property
    def config(self) -> Config:
        """All settings."""

    @property
    def rooms(self) -> Rooms:
        """All rooms."""

    @property
    def media(self) -> Media:
        """For negotiators."""

    @property
    def recordings(self) -> RecordingManager:
        """All recordings."""

    def now(self) -> float:
        """Monotonic seconds."""


class Session:
    """Serves one client, whatever carries its messages.

    The reply to a request goes out before the events that the request caused.
    """

    def __init__(
        self,
        server: Server,
        members: Members,
        *,
        send: Callable[[Event], None],
        close: Callable[[str], None],
        remote: str = "",
    ) -> None:
        """The client has neither joined nor resumed yet.

        Args:
            server: Where its room is.
            members: Who may resume, and who has joined by us.
            send: Sends a message to the client, sooner or later, and never raises.
            close: Ends the connection after all that was sent; its argument is a key of
                `messages.CLOSE_CODES`.
            remote: The client's address, for the log.
        """
        self._server = server
        self._members = members
        self._send = send
        self._close = close
        self._member: Member | None = None
        self._held: list[Event] | None = None
        self._ended = ""
        self._log = SessionLog(get_logger(__name__), clock=server.now, remote=remote)

    @property
    def joined(self) -> bool:
        """Whether the client is in a room."""
        return self._member is not None

    # -- what the connection tells

    def receive(self, text: str) -> None:
        """Take a message of the client, answer it, and tell what came of it."""
        if self._ended:
            return
        held = self._held = []
        reply = self._reply_to(text)
        self._held = None
        self._send(reply)
        for message in held:
            self._send(message)
        if self._ended:
            self._close(self._ended)

    def refuse(self, error: SfuError, text: str = "") -> None:
        """Answer a message that will not be looked at.

        Args:
            error: Why.
            text: The message; its id is repeated if it has one.
        """
        if not self._ended:
            self._log.refused("message refused", error=error.name)
            self._emit(refusal(error, messages.request_id(text)))

    def end(self, reason: str) -> None:
        """Put the client out; nothing happens when it is.

        Args:
            reason: A key of `messages.CLOSE_CODES`; the client is told of disconnect reasons.
        """
        if not self._ended:
            if reason in messages.DISCONNECT_REASONS:
                self._emit(disconnected(reason))
            self._finish(reason)

    def supersede(self) -> None:
        """The client goes on with another session."""
        self._member = None
        self.end("resumed_elsewhere")

    def lost(self) -> None:
        """The connection is gone: a participant keeps its place for the grace period."""
        self._ended = self._ended or "lost"
        member, self._member = self._member, None
        if member is not None:
            self._members.detach(member, now=self._server.now())
            self._log.info("signaling lost", grace_period=self._server.config.grace_period)

    # -- requests

    def handle(self, message: Request) -> Reply:
        """Do what a decoded message asks for.

        Returns:
            The reply.

        Raises:
            SfuError: It cannot be done; the error's name is for the client.
        """
        handler = _HANDLERS.get(type(message))
        if handler is not None:
            reply = handler(self, message)
        else:
            reply = commands.run(message, self._present(), now=self._server.now())
        return structs.replace(reply, id=message.id)

    def _reply_to(self, text: str) -> Reply:
        try:
            message = messages.decode(text)
        except SfuError as error:
            self._log.refused("message refused", error=error.name)
            return refusal(error, messages.request_id(text))
        try:
            return self.handle(message)
        except SfuError as error:
            self._log.refused(
                "request failed",
                request=messages.snake_case(type(message).__name__),
                error=error.name,
                reason=error.message,
            )
            return refusal(error, message.id)
        except Exception:
            return self._fault(message.id)

    def _join(self, message: messages.Join) -> Reply:
        self._check_not_joined()
        server, now = self._server, self._server.now()
        admission = admit(message, server.config)
        participant = server.rooms.open(admission.room, now=now).join(
            identity=admission.identity,
            name=admission.name,
            metadata=admission.metadata,
            attributes=admission.attributes,
            permissions=admission.permissions,
            auto_subscribe=message.auto_subscribe,
            listener=self._hear,
            now=now,
        )
        member = Member(participant, server.media, self, now=now)
        self._members.add(member)
        return self._enter(member, resumed=False)

    def _resume(self, message: messages.Resume) -> Reply:
        self._check_not_joined()
        member = self._members.find(message.sid, message.secret)
        participant = member.participant
        check_resume(message, participant, self._server.config)
        if member.session is not None:
            member.session.supersede()
        member.session = self
        # Before there is a listener: the new offer is made when the client has its snapshot.
        member.subscriber.renew()
        participant.attach(self._hear, now=self._server.now())
        reply = self._enter(member, resumed=True)
        for event in present_state(participant):
            self._hear(event)
        return reply

    def _enter(self, member: Member, *, resumed: bool) -> Reply:
        """The client is in the room from now on."""
        self._member = member
        self._log.identify(member.log)
        self._log.info("participant resumed" if resumed else "participant joined")
        return joined(
            member.participant, self._server.config, secret=member.secret, resumed=resumed
        )

    def _leave(self, message: messages.Leave) -> Reply:
        del message
        if self._member is None:
            self._finish("left")
        else:
            self._member.participant.leave(reason="left", now=self._server.now())
        return Ok()

    def _ping(self, message: messages.Ping) -> Reply:
        del message
        server = self._server
        return messages.Pong(time=server.now() + server.media.endpoint.wall_offset)

    def _record(self, message: Request) -> Reply:
        return recording_commands.run(message, self._present(), self._server.recordings)

    def _present(self) -> Member:
        if self._member is None:
            raise LocalError("Join a room first.", name="not_joined")
        return self._member

    def _check_not_joined(self) -> None:
        if self._member is not None:
            raise LocalError("You are in a room already.", name="already_joined")

    # -- the room's events

    def _hear(self, event: RoomEvent) -> None:
        """The participant's listener: others' requests end up here, so that it never raises."""
        if self._ended:
            return
        try:
            self._tell(event)
        except SfuError as error:
            self._log.refused("event failed", event_type=type(event).__name__, error=error.name)
            self._emit(refusal(error))
        except Exception:
            self._emit(self._fault())

    def _tell(self, event: RoomEvent) -> None:
        if isinstance(event, NegotiationNeeded):
            self._offer()
        elif isinstance(event, ChannelMessage):
            self._receive_channel(event.text)
        elif isinstance(event, Disconnected):
            self._disconnected(event.reason)
        else:
            message = notice(event)
            assert message is not None
            if isinstance(event, DataReceived) and self._send_channel(message, event):
                return
            self._emit(message)

    def _offer(self) -> None:
        offer = self._present().subscriber.offer(now=self._server.now())
        if offer is not None:
            self._emit(offered(offer))

    def _receive_channel(self, text: str) -> None:
        """A data channel carries nothing but `send_data`, and only refusals are answered."""
        try:
            message = messages.decode(text)
            if not isinstance(message, messages.SendData):
                raise RemoteError("Data channels carry send_data alone.")
            commands.run(message, self._present(), now=self._server.now())
        except SfuError as error:
            if self._log.refused("data message refused", error=error.name):
                self._emit(refusal(error, messages.request_id(text)))

    def _send_channel(self, message: Event, event: DataReceived) -> bool:
        channels = self._present().participant.channels
        return channels is not None and channels.send(
            messages.encode(message), reliable=event.reliable
        )

    def _disconnected(self, reason: str) -> None:
        member, self._member = self._member, None
        if member is not None:
            self._members.remove(member)
        self._log.info("participant left", reason=reason)
        if reason != "left":  # who leaves knows
            self._emit(disconnected(reason))
        self._finish(reason)

    # -- what goes out

    def _fault(self, request_id: int | UnsetType = UNSET) -> Error:
        """Log the exception that is being handled; returns what the client is told."""
        self._log.fault()
        return Error(
            id=request_id,
            error="internal_error",
            message="The server failed to do that; its log has the details.",
        )

    def _emit(self, message: Event) -> None:
        if self._held is not None:
            self._held.append(message)
        else:
            self._send(message)

    def _finish(self, reason: str) -> None:
        self._ended = reason
        if self._held is None:
            self._close(reason)


_HANDLERS: Mapping[type[Request], Callable[[Session, Any], Reply]] = {
    messages.Join: Session._join,
    messages.Resume: Session._resume,
    messages.Leave: Session._leave,
    messages.Ping: Session._ping,
    **dict.fromkeys(recording_commands.COMMANDS, Session._record),
}
