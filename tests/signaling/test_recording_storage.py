"""Recordings of a running server in a store: brought there, read from there, deleted there."""

import json
import logging
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import boto3
import pytest
from moto.server import ThreadedMotoServer

from tests.support.api import Api
from tests.support.clients import clients_of
from tests.support.media import ToneTrack
from tests.support.polling import until
from tests.support.server import running_server

BUCKET = "recordings"
KEYS = {"aws_access_key_id": "key", "aws_secret_access_key": "secret"}


@pytest.fixture(scope="module")
def s3() -> Iterator[Any]:
    """A client of a store on this machine."""
    logging.getLogger("werkzeug").setLevel(logging.ERROR)
    server = ThreadedMotoServer("127.0.0.1", 0, verbose=False)
    server.start()
    url = "http://{}:{}".format(*server.get_host_and_port())
    client = boto3.client("s3", endpoint_url=url, region_name="us-east-1", **KEYS)
    client.create_bucket(Bucket=BUCKET)
    yield client
    client.close()
    server.stop()


def settings(s3: Any, folder: Path) -> dict[str, Any]:
    return {
        "recordings_dir": str(folder),
        "recording_storage": "s3",
        "s3_bucket": BUCKET,
        "s3_prefix": "rooms",
        "s3_endpoint": s3.meta.endpoint_url,
        "s3_access_key": "key",
        "s3_secret_key": "secret",
    }


def keys(s3: Any) -> set[str]:
    found = s3.list_objects_v2(Bucket=BUCKET).get("Contents", [])
    return {one["Key"].rpartition("/")[2] for one in found}


async def test_a_recording_goes_to_the_store_and_is_read_and_deleted_there(
    s3: Any, tmp_path: Path
) -> None:
    async with running_server(**settings(s3, tmp_path)) as server, clients_of(server.url) as them:
        alice = await them.join("a", "alice")
        await alice.publish(ToneTrack(440))
        api = Api(them)
        recording = (await api.record())["id"]
        path = f"/api/v1/recordings/{recording}"
        await api.recorded(recording)
        await api.stop(recording)
        (folder,) = (one.parent for one in tmp_path.rglob("manifest.json"))  # noqa: ASYNC240
        sound = folder / "alice-microphone.mkv"
        await until(lambda: not sound.exists(), "it is stored, and is here no more", deadline=60.0)
        assert keys(s3) == {"alice-microphone.mkv", "manifest.json"}
        manifest = json.loads((folder / "manifest.json").read_text())
        (segment,) = manifest["tracks"][0]["segments"]

        url = f"{them.url}{path}/files/alice-microphone.mkv"
        async with them.http.get(url, headers={"Range": "bytes=0-3"}) as response:
            assert str(response.url).startswith(s3.meta.endpoint_url)
            assert await response.read() == b"\x1a\x45\xdf\xa3"  # EBML
        async with them.http.get(url) as response:
            assert len(await response.read()) == segment["bytes"]
        async with them.http.get(url, headers={"Accept": "application/json"}) as response:
            address = (await response.json())["url"]
        async with them.http.get(address) as response:
            assert len(await response.read()) == segment["bytes"]
        assert (await api.recording(recording))["warning"] == ""

        await api.delete(recording)
        assert keys(s3) == set()
        assert list(tmp_path.iterdir()) == []  # noqa: ASYNC240


async def test_what_cannot_be_stored_stays_and_is_told(s3: Any, tmp_path: Path) -> None:
    bad = {**settings(s3, tmp_path), "s3_bucket": "nowhere"}
    async with running_server(**bad) as server, clients_of(server.url) as them:
        alice = await them.join("a", "alice")
        await alice.publish(ToneTrack(440))
        api = Api(them)
        recording = (await api.record())["id"]
        path = f"/api/v1/recordings/{recording}"
        await api.recorded(recording)
        await api.stop(recording)

        async def warned() -> bool:
            told = await api.recording(recording)
            return told["state"] == "complete" and "not stored yet" in told["warning"]

        await until(warned, "it is told", deadline=60.0)
        async with them.http.get(f"{them.url}{path}/files/alice-microphone.mkv") as response:
            assert response.status == 200
    # The next server goes on with it by itself.
    async with running_server(**settings(s3, tmp_path)):
        await until(lambda: "alice-microphone.mkv" in keys(s3), "it is stored", deadline=60.0)
