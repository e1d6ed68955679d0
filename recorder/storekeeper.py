"""The store of recordings, kept by a process of its own: boto3 would hold up media.

`python -m recorder.storekeeper` reads JSON lines: first `Setup`, then one `Wish` after the other.
It writes `News` lines: the answer to each wish, by its number, and how far uploads are.
"""

import asyncio
import contextlib
import itertools
import os
import signal
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Literal

import msgspec

from recorder.child import environment
from recorder.files.disk import describe_error
from recorder.files.manifest_file import FILE_NAME
from recorder.storage.base import Store, StoreError
from recorder.storage.s3 import S3Settings, S3Store
from recorder.storage.uploader import Uploader, UploadStatus
from sfu.config import Config
from sfu.errors import LocalError

NICENESS = 5  # media comes first
EXPIRES = 3600.0  # s that an address of a file is good for
PATIENCE = 60.0  # s for an answer of the store
EXIT_TIME = 10.0  # s for a part that is being sent


class Setup(msgspec.Struct, frozen=True):
    """What the process has to know."""

    root: str
    keep_local: bool
    store: S3Settings


class Wish(msgspec.Struct, frozen=True):
    """What is to be done.

    Attributes:
        number: Repeated in the answer.
        action: "add": bring a folder into the store; "delete": remove it from there; "url": where
            anyone can read an object for a while.
        name: The folder or the key.
    """

    number: int
    action: Literal["add", "delete", "url"]
    name: str


class News(msgspec.Struct, frozen=True, omit_defaults=True):
    """An answer where there is a number, else how far an upload is."""

    number: int = -1
    result: str = ""
    error: str = ""
    upload: UploadStatus | None = None


class Storekeeper:
    """Runs the process, from the first wish on. Belongs to one event loop.

    Args:
        config: Where the store is.
        root: Folder of all recordings, absolute.
        told: Called with how far uploads are.
        gone: Called when the process has ended and was not told to.
    """

    def __init__(
        self,
        config: Config,
        root: Path,
        *,
        told: Callable[[UploadStatus], None],
        gone: Callable[[], None],
    ) -> None:
        settings = S3Settings(
            bucket=config.s3_bucket,
            prefix=config.s3_prefix,
            endpoint=config.s3_endpoint,
            region=config.s3_region,
            access_key=config.s3_access_key,
            secret_key=config.s3_secret_key,
        )
        self._setup = Setup(str(root), config.recording_keep_local, settings)
        self._told = told
        self._gone = gone
        self._closing = False
        self._process: asyncio.subprocess.Process | None = None
        self._reader: asyncio.Task[None] | None = None
        self._numbers = itertools.count()
        self._answers: dict[int, asyncio.Future[str]] = {}
        self._starting = asyncio.Lock()

    async def start(self) -> None:
        """Go on with what an earlier process has not finished.

        Raises:
            LocalError: "internal_error": the process cannot be started.
        """
        async with self._starting:
            if self._process is not None:
                return
            try:
                self._process = await asyncio.create_subprocess_exec(
                    *(sys.executable, "-m", "recorder.storekeeper"),
                    stdin=asyncio.subprocess.PIPE,
                    stdout=asyncio.subprocess.PIPE,
                    env=environment(),
                    process_group=0,  # Ctrl-C at the terminal is for us to tell it
                )
            except OSError as error:
                raise LocalError(
                    f"The store cannot be used: {error.strerror}.", name="internal_error"
                ) from error
            self._say(self._setup)
            self._reader = asyncio.create_task(self._read(self._process))

    async def add(self, folder: str) -> None:
        """Bring a recording into the store, which may only just begin; raises as `url`."""
        await self._ask("add", folder)

    async def delete(self, folder: str) -> None:
        """Remove a recording from the store; raises as `url`."""
        await self._ask("delete", folder)

    async def url(self, key: str) -> str:
        """Where anyone can read an object for an hour; empty where there is none.

        Raises:
            LocalError: "internal_error": the store does not do it.
        """
        return await self._ask("url", key)

    async def close(self) -> None:
        """End the process; what is not stored is so after the next start."""
        self._closing = True
        process = self._process
        if process is None:
            return
        assert process.stdin is not None
        assert self._reader is not None
        process.stdin.close()
        try:
            await asyncio.wait_for(process.wait(), EXIT_TIME)
        except TimeoutError:
            process.kill()
            await process.wait()
        await self._reader

    async def _ask(self, action: Literal["add", "delete", "url"], name: str) -> str:
        await self.start()
        number = next(self._numbers)
        answer = self._answers[number] = asyncio.get_running_loop().create_future()
        self._say(Wish(number, action, name))
        try:
            return await asyncio.wait_for(answer, PATIENCE)
        except TimeoutError:
            raise LocalError("The store does not answer.", name="internal_error") from None
        finally:
            self._answers.pop(number, None)

    def _say(self, message: Setup | Wish) -> None:
        assert self._process is not None
        assert self._process.stdin is not None
        self._process.stdin.write(msgspec.json.encode(message) + b"\n")

    async def _read(self, process: asyncio.subprocess.Process) -> None:
        assert process.stdout is not None
        while line := await process.stdout.readline():
            news = msgspec.json.decode(line, type=News)
            if news.upload is not None:
                self._told(news.upload)
                continue
            answer = self._answers.get(news.number)
            if answer is None or answer.done():
                continue
            if news.error:
                answer.set_exception(LocalError(news.error, name="internal_error"))
            else:
                answer.set_result(news.result)
        self._process = None
        for answer in self._answers.values():
            if not answer.done():
                answer.set_exception(LocalError("The store is gone.", name="internal_error"))
        await process.wait()
        if not self._closing:
            self._gone()


def main() -> None:
    """The process."""
    os.nice(NICENESS)
    signal.signal(signal.SIGTERM, signal.SIG_IGN)  # the end of standard input ends it
    lock = threading.Lock()

    def tell(news: News) -> None:
        with lock, contextlib.suppress(BrokenPipeError):
            sys.stdout.buffer.write(msgspec.json.encode(news) + b"\n")
            sys.stdout.buffer.flush()

    setup = msgspec.json.decode(sys.stdin.buffer.readline(), type=Setup)
    try:
        store = S3Store(setup.store)
    except StoreError as error:
        for line in sys.stdin.buffer:
            tell(News(msgspec.json.decode(line, type=Wish).number, error=str(error)))
        return
    uploader = Uploader(
        store,
        Path(setup.root),
        keep_local=setup.keep_local,
        told=lambda status: tell(News(upload=status)),
    )
    for line in sys.stdin.buffer:
        wish = msgspec.json.decode(line, type=Wish)
        try:
            tell(News(wish.number, result=_do(wish, store, uploader)))
        except StoreError as error:
            tell(News(wish.number, error=str(error)))
        except OSError as error:
            tell(News(wish.number, error=describe_error(error)))
    uploader.close()


def _do(wish: Wish, store: Store, uploader: Uploader) -> str:
    if wish.action == "add":
        uploader.add(wish.name)
    elif wish.action == "delete":
        uploader.remove(wish.name)
        _delete(wish.name, store)
    elif store.stat(wish.name) is not None:
        return store.url(wish.name, expires=EXPIRES)
    return ""


def _delete(folder: str, store: Store) -> None:
    """Remove all of a recording; the manifest last: while it is there, the rest can be found."""
    store.abort_uploads(f"{folder}/")
    keys = [one.key for one in store.list(f"{folder}/")]
    for key in sorted(keys, key=lambda key: key.endswith(f"/{FILE_NAME}")):
        store.delete(key)
    if any(store.list(f"{folder}/")):
        raise StoreError("The store still has something of the recording: delete it again later.")


if __name__ == "__main__":
    main()
