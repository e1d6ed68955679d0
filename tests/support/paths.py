"""The ways in which datagrams reach the network, for tests that all of them must pass."""

import socket

import pytest

from sfu.net import mmsg

SEGMENTED = "batched, segmentation"
BATCHED = "batched, no segmentation"
PLAIN = "plain sockets"
PATHS = (SEGMENTED, BATCHED, PLAIN)


def force_path(path: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the probes of ports that are opened from now on find no more than `path`.

    The test is skipped where this machine has not got that path; CI's machines have all.
    """
    if path == PLAIN:
        monkeypatch.setattr(mmsg, "available", lambda: False)
        return
    if not mmsg.available():
        pytest.skip("no recvmmsg and sendmmsg here")
    if path == BATCHED:
        monkeypatch.setattr(mmsg, "supports_segmentation", lambda sock: False)
        return
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        if not mmsg.supports_segmentation(sock):
            pytest.skip("no UDP segmentation here")
