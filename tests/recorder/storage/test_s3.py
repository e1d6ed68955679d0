"""A real server that speaks S3, and a bad way to it."""

import itertools
import sys
import urllib.request
from pathlib import Path

import pytest

from recorder.storage.base import StoreError
from recorder.storage.file_upload import PART_SIZE, FileUpload, part_span
from recorder.storage.s3 import S3Settings, S3Store
from tests.recorder.storage.faulty_proxy import FaultyProxy

MIB = 1024 * 1024


def noise(size: int, seed: int = 1) -> bytes:
    return (bytes((seed * n * 37 + n // 251) & 0xFF for n in range(4099)) * (size // 4099 + 1))[
        :size
    ]


def content(store: S3Store, key: str) -> bytes:
    return b"".join(store.read(key))


def test_objects_are_written_read_listed_and_deleted(store: S3Store) -> None:
    assert store.stat("a/b.json") is None
    stored = store.put("a/b.json", b"0123456789")
    assert stored == store.stat("a/b.json")
    assert (stored.key, stored.bytes) == ("a/b.json", 10)
    assert content(store, "a/b.json") == b"0123456789"
    assert b"".join(store.read("a/b.json", 2, 5)) == b"234"
    assert b"".join(store.read("a/b.json", 7)) == b"789"
    store.put("a/c.json", b"")
    store.put("d.json", b"x")
    assert [one.key for one in store.list("a/")] == ["a/b.json", "a/c.json"]
    store.delete("a/b.json")
    store.delete("a/b.json")
    assert [one.key for one in store.list("")] == ["a/c.json", "d.json"]


def test_anyone_can_read_what_they_have_the_address_of(store: S3Store) -> None:
    store.put("a.txt", b"hello")
    with urllib.request.urlopen(store.url("a.txt", expires=60)) as answer:
        assert answer.read() == b"hello"


def test_what_is_not_there_is_told(store: S3Store) -> None:
    with pytest.raises(StoreError, match=r"nothing cannot be read: .*not exist"):
        content(store, "nothing")


def test_a_bucket_that_is_not_there_is_told(settings: S3Settings) -> None:
    other = S3Store(S3Settings("other", "", settings.endpoint, "", "key", "secret"))
    with pytest.raises(StoreError, match="bucket does not exist"):
        other.put("a", b"x")


def test_secrets_are_not_shown(settings: S3Settings) -> None:
    assert "secret" not in repr(settings)


def test_without_boto3_it_says_what_to_install(
    settings: S3Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "boto3", None)
    with pytest.raises(StoreError, match=r"pip install 'aiosfu\[s3\]'"):
        S3Store(settings)


def test_parts_follow_each_other_and_become_larger() -> None:
    ends = [part_span(number) for number in range(1, 10_001)]
    assert all(before[1] == after[0] for before, after in itertools.pairwise(ends))
    assert ends[0] == (0, PART_SIZE)
    assert ends[-1][1] > 10**12
    assert ends[-1][1] - ends[-1][0] < 5 * 2**30  # what S3 takes


def test_a_file_is_followed_and_what_changed_is_sent_again(tmp_path: Path, store: S3Store) -> None:
    path = tmp_path / "a.mkv"
    data = bytearray(noise(PART_SIZE * 3 + MIB))
    upload = FileUpload(store, path, "a.mkv")
    path.write_bytes(data[:MIB])
    assert not upload.follow()
    path.write_bytes(data)
    assert upload.follow()  # part 2
    assert not upload.follow()  # part 3 is not settled yet
    assert upload.sent == PART_SIZE
    data[10:20] = b"the header"
    data[PART_SIZE + 5] ^= 1  # in a part that is there already
    data += b"the index"
    path.write_bytes(data)
    stored = upload.finish()
    assert stored.bytes == len(data) == upload.sent
    assert stored.etag.endswith("-4")
    assert content(store, "a.mkv") == data


def test_a_small_file_is_one_object(tmp_path: Path, store: S3Store) -> None:
    path = tmp_path / "a.mkv"
    path.write_bytes(b"short")
    upload = FileUpload(store, path, "a.mkv")
    assert not upload.follow()
    assert upload.finish().bytes == upload.sent == 5
    assert content(store, "a.mkv") == b"short"


@pytest.mark.parametrize("fault", ["refuse", "cut", "error", "corrupt"])
def test_faults_are_told_and_the_next_try_is_right(
    tmp_path: Path, store: S3Store, proxy: FaultyProxy, fault: str, fast_retries: None
) -> None:
    path = tmp_path / "a.mkv"
    data = noise(PART_SIZE * 2 + MIB)
    path.write_bytes(data)
    upload = FileUpload(store, path, "a.mkv")
    proxy.fault = fault
    with pytest.raises(StoreError):
        upload.finish()
    assert proxy.faults
    assert store_is_empty(store, proxy)
    proxy.fault = "none"
    upload.finish()
    assert content(store, "a.mkv") == data


def store_is_empty(store: S3Store, proxy: FaultyProxy) -> bool:
    fault, proxy.fault = proxy.fault, "none"
    empty = not list(store.list(""))
    proxy.fault = fault
    return empty


def test_unfinished_uploads_are_found_and_removed(tmp_path: Path, store: S3Store) -> None:
    path = tmp_path / "a.mkv"
    path.write_bytes(noise(PART_SIZE * 3))
    FileUpload(store, path, "x/a.mkv").follow()
    FileUpload(store, path, "y/a.mkv").follow()
    assert store.abort_uploads("x/") == 1
    assert store.abort_uploads("x/") == 0
    assert store.abort_uploads("") == 1
