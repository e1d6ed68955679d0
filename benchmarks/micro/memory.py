"""What an operation allocates: what it keeps, and the most that it has at one time.

Python counts no allocations that were freed again. What can be counted without changing the
interpreter is the blocks and bytes that the result of an operation holds (they are the price of
every packet in a cache), and the peak above it (temporary copies show there).
"""

import gc
import sys
import tracemalloc
from dataclasses import dataclass

from benchmarks.micro.case import Case


@dataclass(frozen=True, slots=True)
class Allocations:
    """Of one operation, on average, but for the peak.

    Attributes:
        blocks: Blocks of memory that the result keeps.
        octets: Their bytes.
        peak: The most bytes at one time during one call, all its operations together.
    """

    blocks: float
    octets: float
    peak: int


def allocated(case: Case) -> Allocations:
    """Measure a case, after a first call that warms its caches."""
    measured, prepare = case.action.measured, case.action.prepare
    blocks = octets = peak = 0
    for traced in (False, False, True):
        if prepare is not None:
            prepare()
        gc.collect()
        if traced:
            tracemalloc.start()
        before = sys.getallocatedblocks()
        kept = measured()
        if traced:
            octets, peak = tracemalloc.get_traced_memory()
            tracemalloc.stop()
        else:
            blocks = sys.getallocatedblocks() - before
        del kept
    return Allocations(blocks / case.operations, octets / case.operations, peak)
