"""Objects in any store that speaks Amazon's S3 protocol, by boto3 (the extra `aiosfu[s3]`)."""

import base64
import contextlib
import hashlib
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from recorder.storage.base import StoredObject, StoreError

CONNECT_TIMEOUT, READ_TIMEOUT = 10, 60  # s
ATTEMPTS = 4  # of each request; whoever asks tries again later
PIECE = 256 * 1024  # bytes read at once
MD5 = re.compile(r"[0-9a-f]{32}(-\d+)?")


@dataclass(frozen=True, slots=True)
class S3Settings:
    """Where the store is; what is empty is found as AWS's tools find it (environment, files, role).

    Attributes:
        bucket: It must exist.
        prefix: Put before all keys.
        endpoint: "https://…"; empty for Amazon's.
        region: Of the bucket.
        access_key: Who we are.
        secret_key: What proves it.
    """

    bucket: str
    prefix: str = ""
    endpoint: str = ""
    region: str = ""
    access_key: str = ""
    secret_key: str = ""

    def __repr__(self) -> str:  # the secret is in no log
        return f"S3Settings(bucket={self.bucket!r}, endpoint={self.endpoint!r})"


class S3Store:
    """A `Store` in one bucket."""

    def __init__(self, settings: S3Settings) -> None:
        """Prepare; nothing is sent.

        Raises:
            StoreError: boto3 is not installed, or the settings make no sense to it.
        """
        try:
            import boto3  # type: ignore[import-untyped]
            from botocore.config import Config  # type: ignore[import-untyped]
        except ImportError:
            raise StoreError("Storage in S3 needs boto3: pip install 'aiosfu[s3]'.") from None
        self._bucket = settings.bucket
        self._prefix = f"{settings.prefix.strip('/')}/" if settings.prefix.strip("/") else ""
        config = Config(
            connect_timeout=CONNECT_TIMEOUT,
            read_timeout=READ_TIMEOUT,
            retries={"mode": "standard", "total_max_attempts": ATTEMPTS},
            # Checksums of our own are in Content-MD5, which every store knows.
            request_checksum_calculation="when_required",
            response_checksum_validation="when_required",
            # Names in the path work everywhere; a store of one's own has no wildcard in the DNS.
            s3={"addressing_style": "path" if settings.endpoint else "auto"},
        )
        try:
            self._client: Any = boto3.session.Session().client(
                "s3",
                endpoint_url=settings.endpoint or None,
                region_name=settings.region or ("us-east-1" if settings.endpoint else None),
                aws_access_key_id=settings.access_key or None,
                aws_secret_access_key=settings.secret_key or None,
                config=config,
            )
        except Exception as error:
            raise StoreError(f"S3 cannot be used: {error}.") from None

    def put(self, key: str, data: bytes) -> StoredObject:
        """Write a small object at once."""
        with _errors(f"{key} cannot be stored"):
            answer = self._client.put_object(**self._at(key), Body=data, ContentMD5=_md5(data))
        _compare(key, answer["ETag"], hashlib.md5(data, usedforsecurity=False).hexdigest())
        return StoredObject(key, len(data), _plain(answer["ETag"]))

    def open_upload(self, key: str) -> "S3Upload":
        """Begin to write an object."""
        with _errors(f"{key} cannot be stored"):
            answer = self._client.create_multipart_upload(**self._at(key))
        return S3Upload(self, self._client, self._at(key), key, answer["UploadId"])

    def read(self, key: str, start: int = 0, end: int | None = None) -> Iterator[bytes]:
        """Its bytes from `start` to before `end`, in pieces."""
        span = f"bytes={start}-{'' if end is None else end - 1}"
        with _errors(f"{key} cannot be read"):
            body = self._client.get_object(**self._at(key), Range=span)["Body"]
            with contextlib.closing(body):
                yield from body.iter_chunks(PIECE)

    def delete(self, key: str) -> None:
        """Remove an object; nothing happens where there is none."""
        with _errors(f"{key} cannot be deleted"):
            self._client.delete_object(**self._at(key))

    def list(self, prefix: str) -> Iterator[StoredObject]:
        """All objects whose keys begin so."""
        with _errors("The store cannot be listed"):
            pages = self._client.get_paginator("list_objects_v2")
            for page in pages.paginate(Bucket=self._bucket, Prefix=self._prefix + prefix):
                for entry in page.get("Contents", ()):
                    key = entry["Key"][len(self._prefix) :]
                    yield StoredObject(key, entry["Size"], _plain(entry["ETag"]))

    def stat(self, key: str) -> StoredObject | None:
        """What is there; None where there is nothing."""
        from botocore.exceptions import ClientError  # type: ignore[import-untyped]

        with _errors(f"{key} cannot be looked at"):
            try:
                head = self._client.head_object(**self._at(key))
            except ClientError as error:
                if error.response.get("ResponseMetadata", {}).get("HTTPStatusCode") == 404:
                    return None
                raise
        return StoredObject(key, head["ContentLength"], _plain(head["ETag"]))

    def url(self, key: str, *, expires: float) -> str:
        """Where anyone can read it for so many seconds."""
        with _errors(f"{key} has no address"):
            return str(
                self._client.generate_presigned_url(
                    "get_object", Params=self._at(key), ExpiresIn=round(expires)
                )
            )

    def abort_uploads(self, prefix: str) -> int:
        """Forget uploads to such keys that nobody finishes any more; how many there were."""
        count = 0
        with _errors("Unfinished uploads cannot be removed"):
            pages = self._client.get_paginator("list_multipart_uploads")
            for page in pages.paginate(Bucket=self._bucket, Prefix=self._prefix + prefix):
                for entry in page.get("Uploads", ()):
                    self._client.abort_multipart_upload(
                        Bucket=self._bucket, Key=entry["Key"], UploadId=entry["UploadId"]
                    )
                    count += 1
        return count

    def _at(self, key: str) -> dict[str, str]:
        return {"Bucket": self._bucket, "Key": self._prefix + key}


class S3Upload:
    """An `Upload` to S3: a multipart upload, whose parts are checked one by one."""

    def __init__(
        self, store: S3Store, client: Any, place: dict[str, str], key: str, upload: str
    ) -> None:
        self._store = store
        self._client = client
        self._key = key
        self._place = {**place, "UploadId": upload}
        self._parts: dict[int, tuple[str, bytes, int]] = {}  # number → its ETag, MD5 and size

    def put(self, number: int, data: bytes) -> None:
        """Send a part, or send it again."""
        digest = hashlib.md5(data, usedforsecurity=False)
        with _errors(f"Part {number} of {self._key} cannot be stored"):
            answer = self._client.upload_part(
                **self._place, PartNumber=number, Body=data, ContentMD5=_md5(data)
            )
        _compare(f"part {number} of {self._key}", answer["ETag"], digest.hexdigest())
        self._parts[number] = (answer["ETag"], digest.digest(), len(data))

    def finish(self) -> StoredObject:
        """Make the object of the parts."""
        parts = [
            {"PartNumber": number, "ETag": etag}
            for number, (etag, _, _) in sorted(self._parts.items())
        ]
        try:
            with _errors(f"{self._key} cannot be finished"):
                self._client.complete_multipart_upload(
                    **self._place, MultipartUpload={"Parts": parts}
                )
        except StoreError:
            try:  # it may have been only the answer that did not arrive
                return self._check()
            except StoreError:
                pass
            raise
        return self._check()

    def _check(self) -> StoredObject:
        """Make sure that the object is what was sent."""
        digests = b"".join(md5 for _, (_, md5, _) in sorted(self._parts.items()))
        digest = hashlib.md5(digests, usedforsecurity=False).hexdigest()
        size = sum(size for _, _, size in self._parts.values())
        stored = self._store.stat(self._key)
        if stored is None or stored.bytes != size:
            raise StoreError(f"{self._key} is not whole in the store.")
        _compare(self._key, stored.etag, f"{digest}-{len(self._parts)}")
        return stored

    def abort(self) -> None:
        """Forget what was sent."""
        with _errors(f"The upload of {self._key} cannot be removed"):
            self._client.abort_multipart_upload(**self._place)


def _md5(data: bytes) -> str:
    return base64.b64encode(hashlib.md5(data, usedforsecurity=False).digest()).decode()


def _plain(etag: str) -> str:
    return etag.strip('"')


def _compare(what: str, etag: str, digest: str) -> None:
    """Stores that encrypt with keys of their own have ETags that are no MD5 and say nothing."""
    etag = _plain(etag)
    if MD5.fullmatch(etag) and len(etag) == len(digest) and etag != digest:
        raise StoreError(f"The store has something else than {what}: the checksums differ.")


@contextlib.contextmanager
def _errors(what: str) -> Iterator[None]:
    """Errors of boto3 as ours; its messages have names of hosts and buckets, and no secrets."""
    from botocore.exceptions import (
        BotoCoreError,
        ClientError,
        HTTPClientError,
    )

    try:
        yield
    except ClientError as error:
        details = error.response.get("Error", {})
        reason = details.get("Message") or details.get("Code") or str(error)
        raise StoreError(f"{what}: {reason.rstrip('.')}.") from None
    except (BotoCoreError, HTTPClientError, OSError) as error:
        raise StoreError(f"{what}: {str(error).rstrip('.')}.") from None
