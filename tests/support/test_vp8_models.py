"""The encoder and the reference finder against each other."""

from random import Random

import pytest

from sfu.wire.payload.vp8 import is_key_frame, parse_descriptor
from tests.support.vp8_encoder import Vp8Encoder, read_size, read_stamp
from tests.support.vp8_references import Frame, Vp8References


def encode(
    count: int, temporal_layers: int, *, seed: int = 1, keys: tuple[int, ...] = (0,)
) -> list[Frame]:
    """Complete frames."""
    encoder = Vp8Encoder(2, 640, 360, temporal_layers=temporal_layers, random=Random(seed))
    frames: list[Frame] = []
    for number in range(count):
        payloads = encoder.encode(3000, key=number in keys, captured=number / 30)
        descriptor = parse_descriptor(payloads[0])
        frame = Frame(number / 30, first=0, last=0, packets=1, descriptor=descriptor)
        frame.payload, frame.key = payloads[0], is_key_frame(payloads[0])
        frames.append(frame)
    return frames


def numbers(frames: list[Frame]) -> list[int]:
    return [read_stamp(f.payload, f.descriptor.size).number for f in frames if f.descriptor]


def decodable(frames: list[Frame]) -> list[int]:
    """Numbers of the frames that a decoder can decode, in their order."""
    finder = Vp8References()
    found = [one for frame in frames for one in finder.add(frame)]
    decoded: set[int] = set()
    good = []
    for frame in sorted(found, key=lambda one: one.id):
        assert frame.needs is not None
        if decoded.issuperset(frame.needs):
            decoded.add(frame.id)
            good.append(frame)
    return numbers(good)


def test_packets_of_a_frame_have_its_size_and_say_what_it_is() -> None:
    encoder = Vp8Encoder(2, 640, 360, temporal_layers=3, random=Random(1))
    payloads = encoder.encode(3000, key=True, captured=12.5)
    descriptors = [parse_descriptor(payload) for payload in payloads]
    assert [d.start for d in descriptors if d] == [True, False, False]
    assert len({d.picture_id for d in descriptors if d}) == 1
    assert 2990 < sum(map(len, payloads)) < 3050
    assert read_size(payloads[0], 6) == (640, 360)
    assert read_stamp(payloads[0], 6) == (2, 0, (), 12.5)
    (payload,) = encoder.encode(50, key=False, captured=13)
    assert read_size(payload, 6) is None
    assert read_stamp(payload, 6) == (2, 1, (0,), 13)


@pytest.mark.parametrize("temporal_layers", [1, 2, 3])
@pytest.mark.parametrize("seed", range(5))  # where picture ids and TL0PICIDX begin
def test_the_finder_concludes_at_least_what_the_encoder_did(
    temporal_layers: int, seed: int
) -> None:
    frames = encode(600, temporal_layers, seed=seed, keys=(0, 101, 102, 350))
    finder = Vp8References()
    found = [one for frame in frames for one in finder.add(frame)]
    assert numbers(found) == list(range(600))
    by_id = {frame.id: number for number, frame in enumerate(frames)}
    for number, frame in enumerate(frames):
        assert frame.needs is not None
        assert frame.descriptor is not None
        concluded = {by_id[id_] for id_ in frame.needs}
        assert concluded >= set(read_stamp(frame.payload, frame.descriptor.size).needs)
        assert all(one < number for one in concluded)
    assert decodable(frames) == list(range(600))


def test_frames_may_become_complete_in_any_order() -> None:
    frames = encode(60, 3)
    order = [*frames[:1], *reversed(frames[1:20]), *frames[20:40], frames[41], frames[40]]
    assert decodable(order) == list(range(42))


def test_what_leans_on_a_lost_frame_waits_for_a_key_frame() -> None:
    # 4 is the base layer frame of 5, 6 and 7.
    frames = encode(24, 3, keys=(0, 14))
    del frames[4]
    assert decodable(frames) == [0, 1, 2, 3, *range(14, 24)]
    frames = encode(24, 1, keys=(0, 14))
    del frames[4]
    assert decodable(frames) == [0, 1, 2, 3, *range(14, 24)]


def test_a_lost_frame_of_the_top_layer_costs_its_period_alone() -> None:
    frames = encode(24, 3)
    del frames[5]
    # 7 may have referred to it, for all that its descriptor tells.
    assert decodable(frames) == [n for n in range(24) if n not in (5, 7)]


def test_without_picture_ids_sequence_numbers_tell() -> None:
    frames = encode(10, 1)
    index = 100
    for number, frame in enumerate(frames):
        frame.payload = b"\x10" + frame.payload[4:]
        frame.descriptor = parse_descriptor(frame.payload)
        frame.first, frame.last = index, index + 1
        index += 3 if number == 3 else 2  # a packet of padding behind number 3
    finder = Vp8References()
    found = [one for frame in frames for one in finder.add(frame)]
    assert numbers(found) == [0, 1, 2, 3, 5, 6, 7, 8, 9]  # they lean on 4, which waits
    assert numbers(finder.padding(108)) == [4]
