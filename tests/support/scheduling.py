"""What encoders of AV1 do to the process that they run in, undone."""

import os
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def usual_scheduling() -> Iterator[None]:
    """Schedule the process as before at the end.

    Where root runs it, SVT-AV1 makes the thread that begins to encode a real-time one (SCHED_FIFO,
    99), and whatever that starts later inherits it: browsers stop the whole machine then.
    """
    policy, parameters = os.sched_getscheduler(0), os.sched_getparam(0)
    try:
        yield
    finally:
        os.sched_setscheduler(0, policy, parameters)
