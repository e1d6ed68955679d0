"""Orders to record."""

from pathlib import Path
from typing import Any

from recorder.link.messages import RecordingOrder
from recorder.values import RecordingRequest
from sfu.config import Config

UNIX = 1_700_000_000.0  # when the clocks of virtual servers were at zero


def order(root: Path | str = "/nowhere", id: str = "RC_1", **fields: Any) -> RecordingOrder:
    """To record everything in `room`, unless `fields` say otherwise."""
    request = fields.pop("request", RecordingRequest())
    return RecordingOrder(
        **{
            "id": id,
            "room": "room",
            "request": request,
            "root": str(root),
            "template": Config().recording_template,
            "free_space": 0,
            "started_by": "ann",
            "started_at": UNIX + 1000.0,
            **fields,
        }
    )
