"""One thing to measure."""

import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property


@dataclass(frozen=True, slots=True)
class Action:
    """What a case does.

    Attributes:
        measured: What is measured; its result is kept to see what it holds, or dropped.
        prepare: Called before each call of `measured`, and not measured.
    """

    measured: Callable[[], object]
    prepare: Callable[[], object] | None = None


@dataclass(frozen=True)
class Case:
    """Something that is done again and again.

    Attributes:
        name: Says what one operation is.
        operations: How many of them one call of the action does.
        make: Makes the action, once and only when the case is run.
    """

    name: str
    operations: int
    make: Callable[[], Action]

    @cached_property
    def action(self) -> Action:
        """The action, ready to be called."""
        return self.make()

    def time(self, loops: int) -> float:
        """CPU seconds of so many calls; CPU time, because neighbours do not count in it."""
        measured, prepare = self.action.measured, self.action.prepare
        clock = time.process_time
        if prepare is None:
            start = clock()
            for _ in range(loops):
                measured()
            return clock() - start
        spent = 0.0
        for _ in range(loops):
            prepare()
            start = clock()
            measured()
            spent += clock() - start
        return spent
