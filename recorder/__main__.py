"""The recorder process: `python -m recorder --fd N`, started by the server with its link as N."""

import argparse
import os
import signal
import socket

from recorder.link.messages import RecordingOrder
from recorder.service import Service
from recorder.worker import RecordingWorker

NICENESS = 5  # of composites, which take all that there is: forwarding comes first


def make_worker(order: RecordingOrder, wall_offset: float, resume: bool) -> RecordingWorker:
    """What records this order."""
    if order.request.mode == "composite":
        os.nice(NICENESS)
        # Imported where it is needed: decoders and canvases take memory that tracks do not need.
        from recorder.live.composite_recording import CompositeRecording

        return CompositeRecording(order, wall_offset=wall_offset, resume=resume)
    from recorder.track_recording import TrackRecording

    return TrackRecording(order, wall_offset=wall_offset, resume=resume)


def main() -> None:
    """Run until the server ends the link, or is gone."""
    parser = argparse.ArgumentParser(prog="recorder")
    parser.add_argument("--fd", type=int, required=True, help="the link to the server")
    descriptor = parser.parse_args().fd
    # Whoever stops the server by Ctrl-C or its service stops us too: by the link, when it has told
    # us what to finish.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    os.set_inheritable(descriptor, False)
    with socket.socket(fileno=descriptor) as connection:
        Service(connection, make_worker).run()


if __name__ == "__main__":
    main()
