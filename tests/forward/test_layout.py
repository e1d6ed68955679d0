"""A packet is written once per layout, with the subscriber's payload types and extension ids."""

import gc
from struct import unpack_from

from sfu.forward.layout import HeaderLayout, LayoutTable, forwarded_extensions
from sfu.wire.extensions import encode_audio_level, parse_abs_send_time
from sfu.wire.parameters import AV1, OPUS, RED, VP8, Codec, Extension, Kind, SendParameters
from sfu.wire.rtp import RtpPacket, parse_rtp

EXTENSIONS = {
    Extension.TRANSPORT_SEQUENCE_NUMBER: 3,
    Extension.ABS_SEND_TIME: 2,
    Extension.AUDIO_LEVEL: 1,
    Extension.DEPENDENCY_DESCRIPTOR: 8,
}


def parameters(
    payload_types: dict[Codec, int],
    *,
    kind: Kind = "video",
    extensions: dict[str, int] | None = None,
    mixed: bool = False,
    rtx: dict[int, int] | None = None,
    nack: bool = False,
) -> SendParameters:
    return SendParameters(
        mid="0",
        kind=kind,
        payload_types=payload_types,
        extensions=EXTENSIONS if extensions is None else extensions,
        mixed=mixed,
        rtx=rtx or {},
        nack=nack,
    )


def packet(codec: Codec, payload: bytes = b"payload", **fields: object) -> RtpPacket:
    made = RtpPacket(100, 7, 9000, 0x11223344, payload, **fields)  # type: ignore[arg-type]
    made.codec = codec
    return made


def test_payload_type_marker_and_payload_are_the_subscribers() -> None:
    layout = HeaderLayout(parameters({VP8: 96}, extensions={}))
    template = layout.template(packet(VP8, marker=True), ())
    assert template is not None
    written = parse_rtp(template.data, arrival=0.0)
    assert (written.payload_type, written.marker, written.payload) == (96, True, b"payload")
    assert template.data[template.payload_offset :] == b"payload"
    assert not written.extensions
    assert (template.sequence_offset, template.send_time_offset) == (0, 0)


def test_the_patched_places_are_where_the_extensions_stand() -> None:
    layout = HeaderLayout(parameters({VP8: 96}))
    template = layout.template(packet(VP8, csrcs=b"\0\0\0\1", arrival=12.5), ())
    assert template is not None
    data = bytearray(template.data)
    data[template.sequence_offset : template.sequence_offset + 2] = b"\xab\xcd"
    written = parse_rtp(bytes(data), arrival=0.0)
    assert written.extensions[3] == b"\xab\xcd"
    assert written.csrcs == b"\0\0\0\1"
    place = slice(template.send_time_offset, template.send_time_offset + 3)
    assert template.data[place] == written.extensions[2]
    assert parse_abs_send_time(written.extensions[2]) == 12.5


def test_what_the_publisher_says_of_its_media_is_passed_on_under_our_ids() -> None:
    layout = HeaderLayout(parameters({OPUS: 111}, kind="audio"))
    level = encode_audio_level(30, voice=True)
    sent = forwarded_extensions({5: Extension.AUDIO_LEVEL, 4: Extension.MID})
    template = layout.template(packet(OPUS, extensions={5: level, 4: b"0"}), sent)
    assert template is not None
    written = parse_rtp(template.data, arrival=0.0)
    assert written.extensions[1] == level
    assert set(written.extensions) == {1, 2, 3}


def test_long_extensions_take_the_two_byte_form_only_where_agreed() -> None:
    descriptor = bytes(range(40))
    sent = ((9, Extension.DEPENDENCY_DESCRIPTOR),)
    for mixed in (True, False):
        layout = HeaderLayout(parameters({AV1: 45}, mixed=mixed))
        template = layout.template(packet(AV1, extensions={9: descriptor}), sent)
        assert template is not None
        data = bytearray(template.data)
        data[template.sequence_offset : template.sequence_offset + 2] = b"\x01\x02"
        written = parse_rtp(bytes(data), arrival=0.0)
        assert written.extensions[3] == b"\x01\x02"
        assert written.extensions.get(8) == (descriptor if mixed else None)


def test_a_codec_that_the_subscriber_lacks_gives_no_template() -> None:
    layout = HeaderLayout(parameters({VP8: 96}))
    assert layout.template(packet(AV1), ()) is None
    assert not layout.supports(AV1)


def test_redundant_audio_is_reduced_for_those_who_know_only_opus() -> None:
    # RFC 2198: one redundant block of 3 bytes, then the primary.
    block = bytes([0x80 | 111, 0, 0, 3, 111]) + b"old" + b"new!"
    plain = HeaderLayout(parameters({OPUS: 109}, kind="audio", extensions={}))
    template = plain.template(packet(RED, block), ())
    assert template is not None
    written = parse_rtp(template.data, arrival=0.0)
    assert (written.payload_type, written.payload) == (109, b"new!")
    both = HeaderLayout(parameters({OPUS: 109, RED: 63}, kind="audio", extensions={}))
    template = both.template(packet(RED, block), ())
    assert template is not None
    assert template.data[12:] == block


def test_a_plain_retransmission_can_be_the_same_packet_to_the_last_bit() -> None:
    repeats = HeaderLayout(parameters({VP8: 96}, nack=True))
    assert Extension.TRANSPORT_SEQUENCE_NUMBER not in repeats.extensions
    partly = HeaderLayout(parameters({VP8: 96, AV1: 45}, nack=True, rtx={96: 97}))
    assert Extension.TRANSPORT_SEQUENCE_NUMBER not in partly.extensions
    numbered = HeaderLayout(parameters({VP8: 96}, nack=True, rtx={96: 97}))
    assert Extension.TRANSPORT_SEQUENCE_NUMBER in numbered.extensions


def test_equal_parameters_share_one_layout_and_the_table_is_bounded() -> None:
    table = LayoutTable()
    first = table.layout(parameters({VP8: 96}))
    assert table.layout(parameters({VP8: 96})) is first
    assert table.layout(parameters({VP8: 98})) is not first
    for payload_type in range(40, 120):
        assert table.layout(parameters({VP8: payload_type})).payload_types == {VP8: payload_type}
    gc.collect()
    assert len(table._layouts) == 1, "nobody uses the others any more"


def test_ids_that_need_the_two_byte_form_are_left_out_where_that_was_not_agreed() -> None:
    wanted = {Extension.TRANSPORT_SEQUENCE_NUMBER: 15, Extension.ABS_SEND_TIME: 2}
    for mixed, ids in ((False, {2}), (True, {2, 15})):
        layout = HeaderLayout(parameters({VP8: 96}, extensions=wanted, mixed=mixed))
        template = layout.template(packet(VP8, arrival=12.5), ())
        assert template is not None
        data = bytearray(template.data)
        if template.sequence_offset:
            data[template.sequence_offset : template.sequence_offset + 2] = b"\xab\xcd"
        written = parse_rtp(bytes(data), arrival=0.0)
        assert set(written.extensions) == ids
        assert parse_abs_send_time(written.extensions[2]) == 12.5


def test_numbers_in_a_template_are_still_the_sources() -> None:
    layout = HeaderLayout(parameters({VP8: 96}, extensions={}))
    template = layout.template(packet(VP8), ())
    assert template is not None
    assert unpack_from("!HII", template.data, 2) == (7, 9000, 0x11223344)


def test_a_packet_whose_only_extension_does_not_fit_has_none() -> None:
    layout = HeaderLayout(parameters({AV1: 45}, extensions={Extension.DEPENDENCY_DESCRIPTOR: 8}))
    sent = ((9, Extension.DEPENDENCY_DESCRIPTOR),)
    template = layout.template(packet(AV1, extensions={9: bytes(40)}), sent)
    assert template is not None
    assert parse_rtp(template.data, arrival=0.0).extensions == {}
