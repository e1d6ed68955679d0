"""`aiosfu load` as users run it, in a process of its own."""

import asyncio
import os
import sys
from asyncio.subprocess import PIPE, Process
from dataclasses import dataclass

DEADLINE = 60.0  # s
COMMAND = "from signaling.cli import main; main()"


@dataclass(frozen=True)
class Ended:
    """How it ended and what it wrote."""

    code: int
    output: str
    errors: str


async def start_load(*arguments: str, open_files: int = 0) -> Process:
    """Start it, with a bound on its open files if that is not 0."""
    command = [sys.executable, "-c", COMMAND, "load", *arguments]
    if open_files:
        command = ["sh", "-c", f'ulimit -n {open_files}; exec "$@"', "sh", *command]
    environment = {k: v for k, v in os.environ.items() if not k.startswith("AIOSFU_")}
    return await asyncio.create_subprocess_exec(*command, stdout=PIPE, stderr=PIPE, env=environment)


async def end_of(process: Process) -> Ended:
    """Wait for its end; it is killed when that takes too long."""
    try:
        output, errors = await asyncio.wait_for(process.communicate(), DEADLINE)
    except TimeoutError:
        process.kill()
        raise
    assert process.returncode is not None
    return Ended(process.returncode, output.decode(), errors.decode())


async def load(*arguments: str, open_files: int = 0) -> Ended:
    """Run it to its end."""
    return await end_of(await start_load(*arguments, open_files=open_files))
