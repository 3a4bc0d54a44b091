"""A bucket of an S3-compatible storage service as a store.

Objects are put in one piece each, so that their ETag is the MD5 sum of their bytes: clients compare ETags of
several locations with each other and with sums in registries. Our own comparisons rest on a SHA-256 in the
object's metadata. Who may read is for the bucket's policy to say, never for each object.
"""

import base64
import contextlib
import hashlib
import re
from collections.abc import Iterator
from typing import Any, Final, Literal

from headrace.base.errors import OperatorError
from headrace.network.publish.stores.store import StoreUnavailable
from headrace.network.publish.stores.stored import DIGEST_KEY, StoredObject, check_name, check_prefix

__all__ = ["Addressing", "S3Store"]

#: Whether the bucket's name is in the path of URLs, where no watcher sees it, or in the host name.
Addressing = Literal["path", "virtual"]

_CONNECT_SECONDS: Final = 10
_READ_SECONDS: Final = 60
_ATTEMPTS: Final = 3  # with short random pauses between them
_CONNECTIONS: Final = 16
_DIGEST: Final = re.compile(r"[0-9a-f]{64}")
_KEY: Final = re.compile(r"[!-~]+")
_CODE: Final = re.compile(r"[A-Za-z0-9.]{1,64}")

_WRONG_KEYS: Final = frozenset(
    {
        "403",
        "AccessDenied",
        "InvalidAccessKeyId",
        "SignatureDoesNotMatch",
        "ExpiredToken",
        "AllAccessDisabled",
    }
)
_WRONG_REGION: Final = frozenset(
    {"301", "307", "PermanentRedirect", "AuthorizationHeaderMalformed", "IllegalLocationConstraintException"}
)


class S3Store:
    """Objects below `prefix` in a bucket. Without `endpoint_url`, the service is Amazon's in the region.

    Raises ValueError for a bad prefix, OperatorError for settings with which nothing can be reached.
    """

    def __init__(
        self,
        bucket: str,
        prefix: str = "",
        *,
        endpoint_url: str = "",
        region: str = "",
        access_key: str,
        secret_key: str,
        addressing: Addressing = "path",
        attempts: int = _ATTEMPTS,
    ) -> None:
        try:
            import boto3
            import botocore.exceptions
            from botocore.config import Config
        except ImportError as error:
            raise OperatorError(
                "storage services need the package boto3: install headrace with its extra, headrace[network]"
            ) from error
        if not all(_KEY.fullmatch(key) for key in (access_key, secret_key)):
            raise OperatorError(
                "the access key of a storage service or its secret is empty, or has spaces or line breaks: "
                "set both for the network, as the service gave them"
            )
        self._bucket = bucket
        self._start = f"{check_prefix(prefix).removesuffix('/')}/" if prefix else ""
        self._endpoint = endpoint_url or "Amazon S3"
        self._errors = botocore.exceptions
        config = Config(
            connect_timeout=_CONNECT_SECONDS,
            read_timeout=_READ_SECONDS,
            max_pool_connections=_CONNECTIONS,
            retries={"total_max_attempts": attempts, "mode": "standard"},
            s3={"addressing_style": addressing},
            # What other services than Amazon's do not know: put() sends an MD5 sum, which all do.
            request_checksum_calculation="when_required",
            response_checksum_validation="when_required",
        )
        try:
            session = boto3.session.Session(aws_access_key_id=access_key, aws_secret_access_key=secret_key)
            self._client: Any = session.client(
                "s3", region_name=region or "us-east-1", endpoint_url=endpoint_url or None, config=config
            )
        except (ValueError, botocore.exceptions.BotoCoreError) as error:
            raise OperatorError(f"{self} cannot be used: correct its URL ({type(error).__name__})") from error

    def __repr__(self) -> str:
        return f"s3://{self._bucket}/{self._start.removesuffix('/')} at {self._endpoint}"

    def put(self, item: StoredObject) -> None:
        """Store an object, in place of the one with its name. Raises StoreUnavailable."""
        md5 = hashlib.md5(item.data, usedforsecurity=False)
        with self._translated(item.name):
            answer = self._client.put_object(
                Bucket=self._bucket,
                Key=self._start + item.name,
                Body=item.data,
                ContentMD5=base64.b64encode(md5.digest()).decode(),
                ContentType=item.content_type,
                CacheControl=f"public, max-age={item.cache_seconds}" if item.cache_seconds else "no-cache",
                Metadata={**item.metadata, DIGEST_KEY: item.sha256},
            )
        if answer.get("ETag", "").strip('"') != md5.hexdigest():
            raise StoreUnavailable(
                f"{self} does not give MD5 sums as ETags, by which clients tell what they have: turn off "
                f"encryption with keys of your own (SSE-KMS, SSE-C) for the bucket, then publish again"
            )

    def get(self, name: str) -> bytes | None:
        """Return an object's bytes, None if there is no such object. Raises StoreUnavailable."""
        with self._translated(name):
            try:
                answer = self._client.get_object(Bucket=self._bucket, Key=self._start + check_name(name))
            except self._client.exceptions.NoSuchKey:
                return None
            with contextlib.closing(answer["Body"]) as body:
                data: bytes = body.read()
                return data

    def digest(self, name: str) -> str | None:
        """Return the SHA-256 that was stored with an object, None without one. Raises StoreUnavailable."""
        with self._translated(name):
            try:
                answer = self._client.head_object(Bucket=self._bucket, Key=self._start + check_name(name))
            except self._errors.ClientError as error:
                if _status(error) == 404:
                    return None
                raise
        digest: str = answer.get("Metadata", {}).get(DIGEST_KEY, "")
        return digest if _DIGEST.fullmatch(digest) else None

    def delete(self, name: str) -> None:
        """Delete an object; there need not be one. Raises StoreUnavailable."""
        with self._translated(name):
            try:
                self._client.delete_object(Bucket=self._bucket, Key=self._start + check_name(name))
            except self._client.exceptions.NoSuchKey:
                return  # some services say so

    def names(self, prefix: str = "") -> Iterator[str]:
        """Yield the names of all objects whose names begin with `prefix`. Raises StoreUnavailable."""
        start = self._start + check_prefix(prefix)
        with self._translated(prefix):
            pages = self._client.get_paginator("list_objects_v2").paginate(Bucket=self._bucket, Prefix=start)
            for page in pages:
                for found in page.get("Contents", ()):
                    try:
                        yield check_name(found["Key"][len(self._start) :])
                    except ValueError:
                        continue  # something of somebody else, whose name no store could keep

    @contextlib.contextmanager
    def _translated(self, name: str) -> Iterator[None]:
        try:
            yield
        except self._errors.ClientError as error:
            raise StoreUnavailable(self._refusal(name, error)) from error
        except (self._errors.BotoCoreError, self._errors.HTTPClientError) as error:
            raise StoreUnavailable(
                f"{self} cannot be reached for {name or 'a list of names'} ({type(error).__name__}): check "
                f"the endpoint in its URL and the way there, then publish again"
            ) from error

    def _refusal(self, name: str, error: Any) -> str:
        """What to do about a refusal. Of the service's own words only the code: it may say anything."""
        code = str(error.response.get("Error", {}).get("Code", ""))
        if not _CODE.fullmatch(code):
            code = str(_status(error))
        start = f"{self} refuses {name or 'a list of names'} ({code})"
        if code == "NoSuchBucket":
            return f"{start}: make the bucket, or correct its name in the URL"
        if code in _WRONG_KEYS:
            return (
                f"{start}: check the access key and its secret, that this machine's clock is right, and that "
                f"the key may list the bucket and read, write and delete below the prefix"
            )
        if code in _WRONG_REGION:
            return f"{start}: correct the region in its URL"
        return f"{start}: if the service is busy or down, publish again later"


def _status(error: Any) -> int:
    status = error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0)
    return int(status)
