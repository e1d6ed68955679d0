import itertools
import logging
from collections.abc import Iterator

import boto3
import pytest
from moto.server import ThreadedMotoServer

from recorder.storage.s3 import S3Settings, S3Store
from tests.recorder.storage.faulty_proxy import FaultyProxy

_buckets = itertools.count()


@pytest.fixture(scope="session")
def s3_port() -> Iterator[int]:
    logging.getLogger("werkzeug").setLevel(logging.ERROR)
    server = ThreadedMotoServer("127.0.0.1", 0, verbose=False)
    server.start()
    _, port = server.get_host_and_port()
    yield port
    server.stop()


@pytest.fixture
def proxy(s3_port: int) -> Iterator[FaultyProxy]:
    proxy = FaultyProxy(s3_port)
    yield proxy
    proxy.close()


@pytest.fixture
def settings(proxy: FaultyProxy) -> S3Settings:
    bucket = f"bucket-{next(_buckets)}"
    keys = {"aws_access_key_id": "key", "aws_secret_access_key": "secret"}
    client = boto3.client("s3", endpoint_url=proxy.url, region_name="us-east-1", **keys)
    client.create_bucket(Bucket=bucket)
    client.close()
    return S3Settings(bucket, "rooms", proxy.url, "us-east-1", "key", "secret")


@pytest.fixture
def store(settings: S3Settings) -> S3Store:
    return S3Store(settings)


@pytest.fixture
def fast_retries(monkeypatch: pytest.MonkeyPatch) -> None:
    """Pauses between a request's attempts are botocore's; a test need not wait for them."""
    monkeypatch.setattr("botocore.retries.standard.ExponentialBackoff.delay_amount", lambda *_: 0.0)
