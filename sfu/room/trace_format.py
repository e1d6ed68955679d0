"""What is in a trace: which tables there are, and the fields of their records.

A trace is a row of blocks, each of them a NumPy array of records (`sfu.room.trace_tables`), so that
`numpy.load(file)` gives one after the other. The first block is `head`: JSON in one string. Then
every two seconds come those tables below in which there is something, each with its records since
the last time, and at the end of them a block `end`. What is behind the last `end` was cut off.

The first field of a table has the table's name. It counts the records of all tables together, in
their order: what was seen before what, also where the times are the same. `time` is monotonic
seconds, of a clock that stands in `head` (`wall`: Unix seconds less those).

`size` and `octet` have what belongs to the records of `sent` and `feedback` and is of varying
length: `count` elements for each record. `layer`, `demand` and `decision` belong to the
`allocation` of their number, and have only what is not as in the last one.
"""

from collections.abc import Mapping
from typing import get_args

from sfu.congestion.overuse import State
from sfu.congestion.sample import EstimatorSample, Mode

VERSION = 1
GONE = 0xFFFF  # position of a track that is no longer carried
STATES: tuple[str, ...] = get_args(State)
MODES: tuple[str, ...] = get_args(Mode)

TABLES: Mapping[str, str] = {
    # A new estimator, with these bounds in bit/s.
    "path": "path <u4, time <f8, start <f8, minimum <f8, maximum <f8",
    # A burst: transport-wide number of its first packet, packets, and its probe.
    "sent": "sent <u4, time <f8, first <i8, count <u2, cluster <u4",
    "size": "size <u2",
    # A transport-wide feedback as it would come in RTCP.
    "feedback": "feedback <u4, time <f8, count <u4",
    "octet": "octet |u1",
    "remb": "remb <u4, time <f8, bitrate <f8",
    # Receiver reports of one RTCP packet: share lost, seconds, and bit/s that were sent meanwhile.
    "report": "report <u4, time <f8, lost <f8, round_trip <f8, sending <f8",
    # `BandwidthEstimator.handle_timer`.
    "check": "check <u4, time <f8",
    # `BandwidthEstimator.probe`: what was asked, and the cluster that was wanted, 0 for none.
    "probe": "probe <u4, time <f8, goal <f8, sending <f8, cluster <u4, bitrate <f8",
    "sample": "sample <u4, time <f8, "
    + "".join(
        f"{name} {'|u1' if name in ('state', 'mode') else '<f4'}, "
        for name in EstimatorSample._fields
    ).rstrip(", "),
    "track": "track <u4, sid |S20, kind |S20, source |S20",
    # A wish; -1 for a layer that is left to us. `sid` because a wish may precede its track.
    "wish": "wish <u4, time <f8, sid |S20, visible |u1, paused |u1, width <u4, height <u4, "
    "fps <f8, priority |u1, layer |i1, temporal |i1",
    # Bit/s: what was shared, what the estimator said, and what came of it.
    "allocation": "allocation <u4, time <f8, estimate <f8, estimated <f8, congested |u1, "
    "total <f8, wanted <f8, goal <f8",
    # All layers of a track; `need` is the bit/s that the allocator reckoned with, -1 where it could
    # not choose a layer. A row with count 0 says that there are none.
    "layer": "layer <u4, track <u4, count |u1, spatial |u1, temporal |u1, "
    "width <u2, height <u2, bitrate <u4, need <f8",
    # -1 for no layer; position `GONE` for a track that is no longer carried.
    "demand": "demand <u4, position <u2, track <u4, priority |u1, wanted |i1, off |S20, "
    "spatial |i1, temporal |i1, pixels <f8",
    "decision": "decision <u4, track <u4, spatial |i1, temporal |i1, cause |S20, available <f8",
    "end": "end <u4, time <f8",
}
