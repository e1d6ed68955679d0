"""Messages on the link: whole again however they were cut, and refused where they make no sense."""

import random

import pytest

from recorder.link.framing import (
    HEADER,
    JSON,
    MAX_BODY,
    PACKETS,
    MessageReader,
    message,
    read_packets,
    read_reference,
    reference_message,
)
from recorder.link.messages import (
    KeyFrameWanted,
    StatusIs,
    StopRecording,
    decode_to_recorder,
    decode_to_server,
    encode,
)
from recorder.values import RecordingStatus, Reference
from sfu.errors import ParseError


def test_messages_are_whole_however_they_are_cut():
    sent = [(JSON, b"{}"), (PACKETS, bytes(70_000)), (JSON, b""), (JSON, b'{"a":1}')]
    data = b"".join(message(type_, body) for type_, body in sent)
    rng = random.Random(1)
    for _ in range(20):
        reader = MessageReader()
        got = []
        position = 0
        while position < len(data):
            size = rng.choice((1, 2, 5, 1000, 66_000))
            got += [(t, bytes(b)) for t, b in reader.receive(data[position : position + size])]
            position += size
        assert got == sent


def test_a_length_that_nobody_sends_is_refused_before_it_is_waited_for():
    with pytest.raises(ParseError, match="longer than any"):
        list(MessageReader().receive(HEADER.pack(MAX_BODY + 1, JSON)))


def test_references_come_as_they_were():
    reference = Reference(0xFFFFFFFF, 1_763_000_000.123456, 0xFFFFFFFE, True)
    ((_, body),) = MessageReader().receive(reference_message(7, reference))
    assert read_reference(body) == (7, reference)
    with pytest.raises(ParseError):
        read_reference(body[:-1])


def test_packets_that_are_cut_or_of_no_codec_are_refused():
    for body in (b"", b"\0\0\0\1\0\1", b"\0\0\0\1\0\1" + bytes(28), b"\0\0\0\1\0\1" + bytes(18)):
        with pytest.raises(ParseError):
            read_packets(memoryview(body), {})


def test_words_come_as_they_were_and_others_are_refused():
    stop = StopRecording("RC_1", "stopped")
    assert decode_to_recorder(encode(stop)) == stop
    status = StatusIs(RecordingStatus("RC_1", "active", bytes=5, warning="soon"))
    assert decode_to_server(encode(status)) == status
    assert decode_to_server(encode(KeyFrameWanted("RC_1", "TR_1"))).track == "TR_1"
    for junk in (b"", b"{}", b"[1]", b'{"type":"Nothing"}', encode(status), b"\xff"):
        with pytest.raises(ParseError):
            decode_to_recorder(junk)
