"""The m-lines of one subscriber's offers: which is free, and which is in use for what."""

from collections.abc import Iterator

from sfu.errors import LimitError
from sfu.wire.parameters import Kind
from signaling.negotiation.description import SendSlot
from signaling.negotiation.offerer import OfferSection


class OfferSections:
    """Keeps m-lines in their order while tracks come and go.

    A line never leaves its place. One that falls free is used again for the next track of its kind
    under its mid; one that the peer rejected comes back under a new mid.

    Args:
        max_sections: Lines that there may ever be.
    """

    def __init__(self, *, max_sections: int) -> None:
        self._max_sections = max_sections
        self._sections: list[OfferSection] = []
        self._next_mid = 0

    def __iter__(self) -> Iterator[OfferSection]:
        return iter(self._sections)

    def __len__(self) -> int:
        return len(self._sections)

    def open(self, kind: Kind, slot: SendSlot) -> str:
        """Give a track a line.

        Returns:
            Its mid.

        Raises:
            LimitError: When all lines are in use.
        """
        for index, section in enumerate(self._sections):
            if section.kind == kind and section.slot is None:
                mid = self._new_mid() if section.stopped else section.mid
                self._sections[index] = OfferSection(mid, kind, slot)
                return mid
        if len(self._sections) >= self._max_sections:
            raise LimitError(f"No more than {self._max_sections} tracks can be received at a time.")
        mid = self._new_mid()
        self._sections.append(OfferSection(mid, kind, slot))
        return mid

    def close(self, mid: str) -> None:
        """Take the track off a line; one that is not there any more is left alone."""
        for index, section in enumerate(self._sections):
            if section.mid == mid and section.slot is not None:
                self._sections[index] = OfferSection(mid, section.kind)

    def stop(self, mid: str) -> None:
        """The peer rejected the line: it stays off until another track takes its place."""
        for index, section in enumerate(self._sections):
            if section.mid == mid:
                self._sections[index] = OfferSection(mid, section.kind, stopped=True)

    def _new_mid(self) -> str:
        mid = str(self._next_mid)
        self._next_mid += 1
        return mid
