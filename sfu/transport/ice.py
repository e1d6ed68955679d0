"""ICE for a host with public addresses: the lite agent of RFC 8445, always controlled.

A lite agent sends no checks and gathers no candidates; it answers the checks of the peer and sends
to the address that the peer chose.

Left out: the 401 and 400 answers to checks that are not authentic. They get no answer at all, so
that the port is of no use to whoever forges addresses.
"""

from dataclasses import dataclass

from sfu.transport.address import Address
from sfu.wire.parameters import IceParameters
from sfu.wire.stun import ROLE_CONFLICT, StunMessage, binding_error, binding_success

MAX_ADDRESSES = 16  # remote addresses of one peer: interfaces × families × protocols, and its NATs
SILENCE = 2.0  # s; the shortest pause of a living path: browsers check theirs every 1 to 2.5 s
LONG_SILENCE = 10.0  # s; twice the 5 s between consent checks (RFC 7675 5.1)
RESTART_OVERLAP = 5.0  # s that old credentials stay valid once the new ones are in use


@dataclass(slots=True)
class _Path:
    """What we know of one remote address: the times of its checks, and its priority."""

    checked: float
    nominated: float = float("-inf")
    priority: int = 0


class IceLite:
    """One peer's ICE session as its controlled, lite side.

    The peer decides which address is `selected`:

    - A check with USE-CANDIDATE selects its address, in regular and in aggressive nomination: of
      two that are nominated at the same time, the one of higher priority (RFC 8445 8.1.1).
    - A check without it selects its address when the selected one has fallen silent and the
      address is new: the peer's NAT gave it another port, and not all agents nominate again. An
      address that was known before must wait for a longer silence, since peers check their spare
      paths as well.

    Args:
        credentials: Our user name fragment and password.

    Attributes:
        local: Our current credentials.
        selected: Where to send; None until the peer has chosen.
        previous_expires: When `end_restart` is to be called (monotonic s); None for not yet.
    """

    def __init__(self, credentials: IceParameters) -> None:
        self.local = credentials
        self.selected: Address | None = None
        self.previous_expires: float | None = None
        self._previous: IceParameters | None = None
        self._remote: tuple[str, ...] = ()
        self._paths: dict[Address, _Path] = {}

    @property
    def username_fragments(self) -> tuple[str, ...]:
        """Ours, all that checks may carry now: the current one first."""
        if self._previous is None:
            return (self.local.username_fragment,)
        return (self.local.username_fragment, self._previous.username_fragment)

    def knows(self, address: Address) -> bool:
        """Whether an authentic check came from this address."""
        return address in self._paths

    def set_remote(self, username_fragment: str) -> None:
        """The peer told, or changed, its user name fragment. The last two are accepted."""
        if username_fragment not in self._remote[:1]:
            self._remote = (username_fragment, *self._remote[:1])

    def restart(self, credentials: IceParameters) -> None:
        """Take new credentials of ours; the ones before stay valid until the restart ends."""
        self._previous = self.local
        self.local = credentials
        self.previous_expires = None

    def end_restart(self) -> None:
        """Forget the credentials of both sides from before the restart."""
        self._previous = None
        self.previous_expires = None
        self._remote = self._remote[:1]

    def forget_address(self, address: Address) -> None:
        """Nothing can be sent there any more: the next authentic check selects another one."""
        path = self._paths.get(address)
        if path is None:
            return
        if address == self.selected:
            path.checked = path.nominated = float("-inf")
        else:
            del self._paths[address]

    def receive_request(
        self, message: StunMessage, address: Address, *, now: float
    ) -> bytes | None:
        """Take a Binding request.

        Args:
            message: Of class "request".
            address: Where it came from.
            now: Monotonic seconds.

        Returns:
            The response; None when the request is not authentic, which must not be answered.
        """
        ours, _, theirs = (message.username or "").partition(":")
        credentials = self._credentials(ours)
        if credentials is None or not message.is_authentic(credentials.password):
            return None
        if self._remote and theirs not in self._remote:
            return None
        if message.controlled is not None:
            # RFC 8445 7.3.1.1: a lite agent cannot give up its role, so the peer has to.
            return binding_error(
                message, code=ROLE_CONFLICT, reason="Role Conflict", password=credentials.password
            )
        current = credentials is self.local
        if current and self._previous is not None and self.previous_expires is None:
            self.previous_expires = now + RESTART_OVERLAP
        # Once the new credentials are in use, late checks with the old ones choose nothing.
        chooses = current or self.previous_expires is None
        self._checked(
            address,
            priority=message.priority or 0,
            nominated=message.use_candidate and chooses,
            chooses=chooses,
            now=now,
        )
        return binding_success(
            message, host=address.host, port=address.port, password=credentials.password
        )

    def _credentials(self, username_fragment: str) -> IceParameters | None:
        if username_fragment == self.local.username_fragment:
            return self.local
        if self._previous and username_fragment == self._previous.username_fragment:
            return self._previous
        return None

    def _checked(
        self, address: Address, *, priority: int, nominated: bool, chooses: bool, now: float
    ) -> None:
        path = self._paths.pop(address, None)
        new = path is None
        if path is None:
            path = _Path(now)
            self._make_room()
        self._paths[address] = path  # last: the freshest
        path.checked = now
        path.priority = priority
        if nominated:
            path.nominated = now
        if chooses and self._should_select(address, path, nominated=nominated, new=new, now=now):
            self.selected = address

    def _should_select(
        self, address: Address, path: _Path, *, nominated: bool, new: bool, now: float
    ) -> bool:
        if self.selected is None or address == self.selected:
            return nominated
        selected = self._paths[self.selected]
        if nominated:
            return path.priority >= selected.priority or now - selected.nominated > SILENCE
        return now - selected.checked > (SILENCE if new else LONG_SILENCE)

    def _make_room(self) -> None:
        if len(self._paths) >= MAX_ADDRESSES:
            del self._paths[next(known for known in self._paths if known != self.selected)]
