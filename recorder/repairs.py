"""Recordings that nobody has finished, repaired by a process of its own.

`python -m recorder.repairs ROOT [FAILURE]` writes the folder of each that has ended since on a
line, relative to the root, until there is none left or its input ends. What is still being written
by others is looked at again and again: a recorder whose server died finishes by itself, and may
hang. With FAILURE, words, they end as failed because of it. It may be ended at any time, and be run
again.
"""

import asyncio
import contextlib
import os
import select
import sys
from collections.abc import Callable
from pathlib import Path

import structlog

from recorder.child import environment
from recorder.files.manifest_file import ManifestError
from recorder.files.recovery import find_unfinished, recover
from recorder.folder_lock import FolderBusyError, FolderLock

NICENESS = 10  # media comes first
INTERVAL = 1.0  # s until the second look at what others still write; each time twice as long …
LONGEST = 30.0  # s, up to this

log = structlog.get_logger(__name__)


class Repairs:
    """Runs the process."""

    async def run(self, root: Path, told: Callable[[str], None], *, failure: str = "") -> None:
        """Repair all recordings that have not ended, each when nobody else writes it any more.

        Args:
            root: The folder of all recordings, or of one.
            told: Called with the folder of each that has ended by now, relative to the root.
            failure: Why they have failed, in words, where somebody knows that.
        """
        try:
            process = await asyncio.create_subprocess_exec(
                *(sys.executable, "-m", "recorder.repairs", str(root), failure),
                stdin=asyncio.subprocess.PIPE,  # it ends with us, however we end
                stdout=asyncio.subprocess.PIPE,
                env=environment(),
                process_group=0,  # Ctrl-C at the terminal is for us to tell it
            )
        except OSError as error:
            log.error("recordings cannot be repaired", reason=error.strerror)
            return
        assert process.stdout is not None
        try:
            while line := await process.stdout.readline():
                told(os.fsdecode(line).rstrip("\n"))
        finally:
            with contextlib.suppress(ProcessLookupError):
                process.terminate()
            code = await process.wait()
            log.info("unfinished recordings looked at", exit_code=code)


def repair(
    root: Path, told: Callable[[str], None], *, wait: Callable[[float], bool], failure: str = ""
) -> None:
    """Repair recordings one after the other, those that others still write when they do no more.

    Args:
        root: As for `Repairs.run`.
        told: As there.
        wait: Waits for so many seconds; False where it is not worth while any more.
        failure: As there.
    """
    waiting = list(find_unfinished(root))
    interval = INTERVAL
    while True:
        busy = []
        for folder in waiting:
            try:
                with FolderLock(folder):
                    recover(folder, failure=failure)
            except FolderBusyError:
                busy.append(folder)
                continue
            except (OSError, ManifestError) as error:
                print(f"{folder} cannot be repaired: {error}", file=sys.stderr)
                continue
            told(folder.relative_to(root).as_posix())
        if not busy or not wait(interval):
            return
        waiting = busy
        interval = min(2 * interval, LONGEST)


def _wait(seconds: float) -> bool:
    """Whether the server is still there after that time."""
    ended, _, _ = select.select([sys.stdin], [], [], seconds)
    return not ended


def main() -> None:
    """The process."""
    os.nice(NICENESS)
    root, *failure = sys.argv[1:]
    repair(
        Path(root),
        lambda folder: print(folder, flush=True),
        wait=_wait,
        failure=failure[0] if failure else "",
    )


if __name__ == "__main__":
    main()
