"""ICE for a host with public addresses: the lite agent of RFC 8445, always controlled.

A lite agent sends no checks and gathers no candidates; it answers the checks of the peer and sends
to the address that the peer chose.

Left out: the 401 and 400 answers to checks that are not authentic. They get no answer at all, so
that the port is of no use to whoever forges addresses.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeVar

from sfu.transport.address import Address
from sfu.wire.parameters import IceParameters
from sfu.wire.stun import ROLE_CONFLICT, StunMessage, binding_error, binding_success

MAX_ADDRESSES = 16  # remote addresses of one peer: interfaces × families × protocols, and its NATs
SILENCE = 6.5  # s; longer than a living path's: consent checks go out every 4 to 6 s (RFC 7675 5.1)
LONG_SILENCE = 10.0  # s; twice the mean of that
NOMINATION_PAUSE = 3.0  # s; above the 2.5 s between checks of browsers, each of which may nominate
RESTART_OVERLAP = 5.0  # s that old credentials stay valid once the new ones are in use

_Credentials = TypeVar("_Credentials")


@dataclass(slots=True)
class _Path:
    """What we know of one remote address: the times of its checks, and its priority."""

    appeared: float
    checked: float
    nominated: float = float("-inf")
    priority: int = 0


class IceLite:
    """One peer's ICE session as its controlled, lite side.

    The peer decides which address is `selected`:

    - A check with USE-CANDIDATE selects its address, in regular and in aggressive nomination: of
      two that are nominated at the same time, the one of higher priority (RFC 8445 8.1.1).
    - A check without it selects its address when the selected one has fallen silent and the
      address appeared after that: the peer's NAT gave it another port, and not all agents nominate
      again. An address that was known before must wait for a longer silence, since peers check
      their spare paths as well.

    A side may restart again before the other has followed its last restart. So until a restart is
    over, checks may carry the credentials that are in use, the current ones, and those before them.

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
        # Generations of credentials, oldest first, and which of them the newest check carried.
        self._ours = [credentials]
        self._ours_used = 0
        self._theirs: list[str] = []
        self._theirs_used = 0
        self._paths: dict[Address, _Path] = {}

    @property
    def username_fragments(self) -> tuple[str, ...]:
        """Ours, all that checks may carry now: the current one first."""
        return tuple(credentials.username_fragment for credentials in reversed(self._ours))

    def knows(self, address: Address) -> bool:
        """Whether an authentic check came from this address."""
        return address in self._paths

    def set_remote(self, username_fragment: str) -> None:
        """The peer told, or changed, its user name fragment; those before stay as ours do."""
        if username_fragment not in self._theirs[-1:]:
            self._theirs = [*_lasting(self._theirs, self._theirs_used), username_fragment]
            self._theirs_used = 0

    def restart(self, credentials: IceParameters) -> None:
        """Take new credentials of ours; the ones before stay valid until the restart ends."""
        self._ours = [*_lasting(self._ours, self._ours_used), credentials]
        self._ours_used = 0
        self.local = credentials
        self.previous_expires = None

    def end_restart(self) -> None:
        """Forget the credentials of both sides from before the restart."""
        self._ours, self._ours_used = [self.local], 0
        self._theirs, self._theirs_used = self._theirs[-1:], 0
        self.previous_expires = None

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
        generation = self._generation(ours)
        if generation is None or not message.is_authentic(self._ours[generation].password):
            return None
        if self._theirs and theirs not in self._theirs:
            return None
        credentials = self._ours[generation]
        if message.controlled is not None:
            # RFC 8445 7.3.1.1: a lite agent cannot give up its role, so the peer has to.
            return binding_error(
                message, code=ROLE_CONFLICT, reason="Role Conflict", password=credentials.password
            )
        if credentials is self.local and len(self._ours) > 1 and self.previous_expires is None:
            self.previous_expires = now + RESTART_OVERLAP
        self._ours_used = max(self._ours_used, generation)
        if self._theirs:
            self._theirs_used = max(self._theirs_used, self._theirs.index(theirs))
        # Once newer credentials are in use, late checks with older ones choose nothing.
        chooses = generation == self._ours_used
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

    def _generation(self, username_fragment: str) -> int | None:
        """Which credentials of ours a check carries."""
        for generation, credentials in enumerate(self._ours):
            if credentials.username_fragment == username_fragment:
                return generation
        return None

    def _checked(
        self, address: Address, *, priority: int, nominated: bool, chooses: bool, now: float
    ) -> None:
        path = self._paths.pop(address, None)
        if path is None:
            path = _Path(now, now)
            self._make_room()
        self._paths[address] = path  # last: the freshest
        path.checked = now
        path.priority = priority
        if nominated:
            path.nominated = now
        if chooses and self._should_select(address, path, nominated=nominated, now=now):
            self.selected = address

    def _should_select(self, address: Address, path: _Path, *, nominated: bool, now: float) -> bool:
        if self.selected is None or address == self.selected:
            return nominated
        selected = self._paths[self.selected]
        if nominated:
            pause = now - selected.nominated
            return path.priority >= selected.priority or pause > NOMINATION_PAUSE
        new = path.appeared > selected.checked
        return now - selected.checked > (SILENCE if new else LONG_SILENCE)

    def _make_room(self) -> None:
        if len(self._paths) >= MAX_ADDRESSES:
            del self._paths[next(known for known in self._paths if known != self.selected)]


def _lasting(generations: Sequence[_Credentials], used: int) -> list[_Credentials]:
    """Those that outlast one more restart: the one in use, and the newest where that is another."""
    return [*generations[used : used + 1], *generations[used + 1 :][-1:]]
