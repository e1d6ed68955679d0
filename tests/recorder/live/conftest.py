from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path
from random import Random

import pytest

from recorder.live.output import Connection, Output
from tests.recorder.live.composites import Composite, encode_composite
from tests.recorder.live.rtmp_server import RtmpServer, running_rtmp_server


@pytest.fixture(scope="session")
def composite() -> Composite:
    return encode_composite(seconds=4)


@pytest.fixture
async def rtmp_server(tmp_path: Path) -> AsyncIterator[RtmpServer]:
    async with running_rtmp_server(tmp_path) as server:
        yield server


@pytest.fixture
def output() -> Iterator[Callable[..., Output]]:
    outputs: list[Output] = []

    def make(connect: Callable[[], Connection], *, video: bool = True) -> Output:
        outputs.append(Output("test", connect, video=video, random=Random(1)))
        return outputs[-1]

    yield make
    for one in outputs:
        one.close()
    for one in outputs:
        one.join()
