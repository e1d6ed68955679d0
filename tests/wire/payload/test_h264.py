import pytest
from aiortc.codecs.h264 import H264Encoder

from sfu.wire.payload.h264 import FU_A, IDR, PPS, SPS, STAP_A, is_key_frame, nal_types


@pytest.mark.parametrize(
    ("payload", "types"),
    [
        ("", ()),
        ("67 42", (SPS,)),
        ("65 88", (IDR,)),
        ("41 9a", (1,)),
        ("60", ()),  # type 0 is no NAL unit
        ("78 0002 6742 0003 68ce3c 0001 65", (SPS, PPS, IDR)),
        ("78", ()),
        ("78 00", ()),
        ("78 0002", ()),
        ("78 0000 0001 67", (SPS,)),  # an empty unit
        ("78 ffff 67", (SPS,)),  # cut short
        ("78 0001 06 ffff", (6,)),
        ("7c 85 88", (IDR,)),
        ("7c 05 88", ()),
        ("7c 45 88", ()),
        ("7c", ()),
        ("79 0000", ()),  # STAP-B, of mode 2
        ("7d 85", ()),  # FU-B
        ("7f", ()),
    ],
)
def test_nal_types(payload, types):
    assert nal_types(bytes.fromhex(payload)) == types


@pytest.mark.parametrize(
    ("payload", "key"),
    [
        ("67 42", True),
        ("27 42", True),
        ("78 0002 6742 0001 68", True),
        ("78 0001 09 0002 6742", True),
        ("7c 87 42", True),
        ("", False),
        ("7c", False),
        ("7c 07 42", False),
        ("7c 47 42", False),
        ("7c 85 88", False),  # an IDR picture, but its parameter sets went before
        ("65 88", False),
        ("68 ce", False),
        ("41 9a", False),
        ("78 0002 68ce", False),
        ("78 0002", False),
    ],
)
def test_key_frame_begins_with_its_parameter_set(payload, key):
    assert is_key_frame(bytes.fromhex(payload)) is key


def test_what_aiortc_packs():
    units = [b"\x67" + bytes(9), b"\x68" + bytes(3), b"\x65" + bytes(3000)]
    payloads = H264Encoder._packetize(iter(units))
    assert payloads[0][0] & 0x1F == STAP_A
    assert nal_types(payloads[0]) == (SPS, PPS)
    assert payloads[1][0] & 0x1F == FU_A
    assert [nal_types(payload) for payload in payloads[1:]] == [(IDR,), (), ()]
    assert [is_key_frame(payload) for payload in payloads] == [True, False, False, False]
