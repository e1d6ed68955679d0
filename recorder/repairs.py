"""Recordings that nobody has finished, repaired by a process of its own.

`python -m recorder.repairs ROOT` writes the folder of each that has ended since on a line, relative
to the root. It may be ended at any time, and be run again.
"""

import asyncio
import contextlib
import os
import sys
import time
from collections.abc import Callable
from pathlib import Path

import structlog

from recorder.files.manifest_file import ManifestError
from recorder.files.recovery import find_unfinished, recover
from recorder.folder_lock import FolderBusyError, FolderLock

NICENESS = 10  # media comes first
# s in which a recorder whose server died finishes by itself; what is still written then belongs to
# another server
PATIENCE = 30.0
INTERVAL = 1.0  # s

log = structlog.get_logger(__name__)


class Repairs:
    """Runs the process."""

    async def run(self, root: Path, told: Callable[[str], None]) -> None:
        """Repair all recordings that have not ended, except those that others still write.

        Args:
            root: The folder of all recordings.
            told: Called with the folder of each that has ended by now, relative to the root.
        """
        try:
            process = await asyncio.create_subprocess_exec(
                *(sys.executable, "-m", "recorder.repairs", str(root)),
                stdin=asyncio.subprocess.DEVNULL,
                stdout=asyncio.subprocess.PIPE,
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


def repair(root: Path, told: Callable[[str], None]) -> None:
    """Repair recordings one after the other; those that are being written have some time to end."""
    deadline = time.monotonic() + PATIENCE
    waiting = list(find_unfinished(root))
    while waiting:
        busy = []
        for folder in waiting:
            try:
                with FolderLock(folder):
                    recover(folder)
            except FolderBusyError:
                busy.append(folder)
                continue
            except (OSError, ManifestError) as error:
                print(f"{folder} cannot be repaired: {error}", file=sys.stderr)
                continue
            told(folder.relative_to(root).as_posix())
        if time.monotonic() > deadline:
            return
        waiting = busy
        if waiting:
            time.sleep(INTERVAL)


def main() -> None:
    """The process."""
    os.nice(NICENESS)
    repair(Path(sys.argv[1]), lambda folder: print(folder, flush=True))


if __name__ == "__main__":
    main()
