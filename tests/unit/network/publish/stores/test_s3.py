"""A bucket as a store, on a storage service in this process, and on services that fail."""

import base64
import hashlib
import json
import logging
import socket
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import boto3
import pytest
from moto.server import ThreadedMotoServer

from headrace.base.errors import OperatorError
from headrace.network.publish.stores.s3 import S3Store
from headrace.network.publish.stores.store import NotAsUploaded, Store, StoreUnavailable, put_verified
from headrace.network.publish.stores.stored import StoredObject

ACCESS, SECRET = "AKIAEXAMPLE", "hunter2hunter2"
ITEM = StoredObject(
    "osl/registry", b"the registry", "application/json", 300, {"psiphon-client-version": "12"}
)


@pytest.fixture(scope="module")
def endpoint() -> Iterator[str]:
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    yield f"http://{host}:{port}"
    server.stop()


def other_client(endpoint: str) -> Any:
    """A client of the service besides those of stores."""
    session = boto3.session.Session(aws_access_key_id=ACCESS, aws_secret_access_key=SECRET)
    return session.client("s3", endpoint_url=endpoint, region_name="us-east-1")


@pytest.fixture
def bucket(endpoint: str, request: pytest.FixtureRequest) -> str:
    """The name of a new bucket, from which everybody may fetch objects."""
    name = f"bucket-{hashlib.sha256(request.node.name.encode()).hexdigest()[:16]}"
    client = other_client(endpoint)
    client.create_bucket(Bucket=name)
    everybody = {
        "Effect": "Allow",
        "Principal": "*",
        "Action": "s3:GetObject",
        "Resource": f"arn:aws:s3:::{name}/*",
    }
    client.put_bucket_policy(
        Bucket=name, Policy=json.dumps({"Version": "2012-10-17", "Statement": [everybody]})
    )
    return name


@pytest.fixture
def store(endpoint: str, bucket: str) -> S3Store:
    return S3Store(bucket, "site", endpoint_url=endpoint, access_key=ACCESS, secret_key=SECRET)


@dataclass
class Service:
    """Answers every request in one way, and keeps what was asked."""

    status: int = 200
    headers: dict[str, str] = field(default_factory=dict)
    body: bytes = b""
    requests: list[str] = field(default_factory=list)

    last_headers: dict[str, str] = field(default_factory=dict)

    def store(self, port: int, attempts: int = 1, host: str = "127.0.0.1") -> S3Store:
        endpoint = f"http://{host}:{port}"
        return S3Store(
            "bucket", endpoint_url=endpoint, access_key=ACCESS, secret_key=SECRET, attempts=attempts
        )


@pytest.fixture
def service() -> Iterator[tuple[Service, int]]:
    answers = Service()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"  # or uploads wait for a "100 Continue" that never comes

        def answer(self) -> None:
            self.rfile.read(int(self.headers.get("Content-Length", 0)))
            answers.requests.append(f"{self.command} {self.path}")
            answers.last_headers = dict(self.headers)
            self.send_response(answers.status)
            for name, value in answers.headers.items():
                self.send_header(name, value)
            body = b"" if self.command == "PUT" and answers.status == 200 else answers.body
            if "Content-Length" not in answers.headers:
                self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            if self.command != "HEAD":
                self.wfile.write(body)

        do_GET = do_HEAD = do_PUT = do_DELETE = answer

        def log_message(self, format: str, *args: object) -> None:
            """Say nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    yield answers, server.server_port
    server.shutdown()
    thread.join()
    server.server_close()


def operations(store: Store) -> list[Callable[[], object]]:
    return [
        lambda: store.put(ITEM),
        lambda: store.get("osl/registry"),
        lambda: store.digest("osl/registry"),
        lambda: store.delete("osl/registry"),
        lambda: list(store.names()),
    ]


# ---- on a service that works


def test_an_object_is_put_replaced_and_deleted(store: S3Store) -> None:
    assert store.get("osl/registry") is None
    assert store.digest("osl/registry") is None
    store.delete("osl/registry")
    store.put(StoredObject("osl/registry", b"before"))
    put_verified(store, ITEM)
    assert store.get("osl/registry") == ITEM.data
    assert store.digest("osl/registry") == ITEM.sha256
    store.delete("osl/registry")
    assert store.get("osl/registry") is None


def test_clients_see_what_they_rely_on(store: S3Store, endpoint: str, bucket: str) -> None:
    large = StoredObject("site.apk", bytes(12 << 20), metadata={"psiphon-client-version": "12"})
    for item in (ITEM, large):
        store.put(item)
        with urllib.request.urlopen(f"{endpoint}/{bucket}/site/{item.name}") as response:
            assert response.headers["ETag"] == f'"{hashlib.md5(item.data).hexdigest()}"'
            assert response.headers["Content-Type"] == item.content_type
            assert response.headers["x-amz-meta-psiphon-client-version"] == "12"
            assert response.headers["Cache-Control"] == (
                "public, max-age=300" if item is ITEM else "no-cache"
            )
            assert response.read() == item.data
        known = {"If-None-Match": f'"{hashlib.md5(item.data).hexdigest()}"'}
        with pytest.raises(urllib.error.HTTPError) as caught:
            urllib.request.urlopen(
                urllib.request.Request(f"{endpoint}/{bucket}/site/{item.name}", headers=known)
            )
        caught.value.close()
        assert caught.value.code == 304


def test_names_are_those_below_the_prefix(store: S3Store, endpoint: str, bucket: str) -> None:
    whole = S3Store(bucket, endpoint_url=endpoint, access_key=ACCESS, secret_key=SECRET)
    assert list(store.names()) == []
    for name in ("a", "b/c", "bb", "b/ü &+%"):
        store.put(StoredObject(name, b""))
    for name in ("site-other/a", "z"):
        whole.put(StoredObject(name, b""))
    assert sorted(store.names()) == ["a", "b/c", "b/ü &+%", "bb"]
    assert sorted(store.names("b/")) == ["b/c", "b/ü &+%"]
    assert store.get("b/ü &+%") == b""
    assert sorted(whole.names("z")) == ["z"]
    assert len(list(whole.names())) == 6


def test_names_of_more_than_a_page_are_all_there(store: S3Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MOTO_S3_DEFAULT_MAX_KEYS", "3")
    for number in range(10):
        store.put(StoredObject(f"osl/{number}", b""))
    assert len(list(store.names("osl/"))) == 10


def test_objects_of_others_have_no_digest_and_no_bad_names(
    store: S3Store, endpoint: str, bucket: str
) -> None:
    client = other_client(endpoint)
    client.put_object(Bucket=bucket, Key="site/theirs", Body=b"x", Metadata={"sha256": "unknown"})
    client.put_object(Bucket=bucket, Key="site/folder/", Body=b"")
    assert store.digest("theirs") is None
    assert store.get("theirs") == b"x"
    assert list(store.names()) == ["theirs"]


@pytest.mark.parametrize("name", ["../other", "/a", "a//b", ""])
def test_bad_names_are_refused(name: str, store: S3Store) -> None:
    for operation in (store.get, store.digest, store.delete):
        with pytest.raises(ValueError, match="name"):
            operation(name)
    with pytest.raises(ValueError, match="name"):
        list(store.names("../"))
    with pytest.raises(ValueError, match="name"):
        S3Store("bucket", "../up", access_key=ACCESS, secret_key=SECRET)


def test_a_bucket_that_is_not_there_is_explained(endpoint: str) -> None:
    store = S3Store("nowhere", endpoint_url=endpoint, access_key=ACCESS, secret_key=SECRET)
    with pytest.raises(StoreUnavailable, match=r"nowhere/ at .*: make the bucket, or correct its name"):
        store.put(ITEM)
    with pytest.raises(StoreUnavailable, match="make the bucket"):
        store.get("name")
    with pytest.raises(StoreUnavailable, match=r"a list of names .*make the bucket"):
        list(store.names())


# ---- on services that fail


def test_a_service_that_is_not_there_is_told_of_at_once() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
    store = Service().store(port)
    for operation in operations(store):
        with pytest.raises(
            StoreUnavailable, match=f"127.0.0.1:{port} cannot be reached .*check the endpoint"
        ):
            operation()


@pytest.mark.parametrize(
    ("status", "code", "said"),
    [
        (403, "AccessDenied", "check the access key and its secret"),
        (403, "SignatureDoesNotMatch", "check the access key and its secret"),
        (400, "AuthorizationHeaderMalformed", "correct the region"),
        (503, "SlowDown", "publish again later"),
        (418, "<script>", r"\(418\): if the service is busy"),
    ],
)
def test_refusals_say_what_to_do(status: int, code: str, said: str, service: tuple[Service, int]) -> None:
    answers, port = service
    answers.status = status
    code = code.replace("<", "&lt;")
    answers.body = f"<Error><Code>{code}</Code><Message>{SECRET}</Message></Error>".encode()
    store = answers.store(port)
    for operation in (lambda: store.put(ITEM), lambda: store.get("a"), lambda: list(store.names())):
        with pytest.raises(StoreUnavailable, match=said) as caught:
            operation()
        assert SECRET not in str(caught.value)
        assert str(caught.value).isprintable()
    if status == 403:
        with pytest.raises(StoreUnavailable, match=r"\(403\): check the access key"):
            store.digest("a")


def test_a_busy_service_is_asked_again_a_few_times_only(
    service: tuple[Service, int], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(time, "sleep", lambda seconds: None)
    answers, port = service
    answers.status = 503
    with pytest.raises(StoreUnavailable, match="later"):
        answers.store(port, attempts=3).get("a")
    assert answers.requests == ["GET /bucket/a"] * 3


def test_a_body_that_breaks_off_is_an_outage(service: tuple[Service, int]) -> None:
    answers, port = service
    answers.body = b"half"
    answers.headers = {"Content-Length": "8", "Connection": "close"}
    with pytest.raises(StoreUnavailable, match="cannot be reached"):
        answers.store(port).get("a")


def test_etags_that_are_no_md5_sums_are_refused(service: tuple[Service, int]) -> None:
    answers, port = service
    answers.headers = {"ETag": '"0123456789abcdef0123456789abcdef"'}
    with pytest.raises(StoreUnavailable, match="does not give MD5 sums as ETags"):
        answers.store(port).put(ITEM)


def test_a_service_that_returns_something_else_is_caught(service: tuple[Service, int]) -> None:
    answers, port = service
    answers.headers = {"ETag": f'"{hashlib.md5(ITEM.data).hexdigest()}"'}
    answers.body = b"cached"
    with pytest.raises(NotAsUploaded, match="returns 6 other bytes"):
        put_verified(answers.store(port), ITEM)


def test_the_bucket_is_in_the_path_where_watchers_do_not_see_it(service: tuple[Service, int]) -> None:
    answers, port = service
    answers.status = 404
    assert answers.store(port, host="localhost").digest("a/b") is None
    assert answers.requests == ["HEAD /bucket/a/b"]
    assert answers.last_headers["Host"] == f"localhost:{port}"


def test_uploads_are_checked_by_the_service_and_signed_for_the_usual_region(
    service: tuple[Service, int],
) -> None:
    answers, port = service
    md5 = hashlib.md5(ITEM.data)
    answers.headers = {"ETag": f'"{md5.hexdigest()}"'}
    answers.store(port).put(ITEM)
    assert answers.last_headers["Content-MD5"] == base64.b64encode(md5.digest()).decode()
    assert answers.last_headers["Content-Length"] == str(len(ITEM.data))
    assert "/us-east-1/s3/aws4_request" in answers.last_headers["Authorization"]
    assert "x-amz-acl" not in answers.last_headers


def test_the_secret_is_shown_nowhere(
    store: S3Store, caplog: pytest.LogCaptureFixture, service: tuple[Service, int]
) -> None:
    with caplog.at_level(logging.DEBUG):
        store.put(ITEM)
        refused = service[0].store(service[1])
        service[0].status = 403
        with pytest.raises(StoreUnavailable) as caught:
            refused.put(ITEM)
    assert "osl/registry" in caplog.text
    assert SECRET not in caplog.text + repr(store) + str(store) + repr(caught.value)


def test_a_bad_endpoint_is_explained() -> None:
    with pytest.raises(OperatorError, match="cannot be used: correct its URL"):
        S3Store("bucket", endpoint_url="nonsense", access_key=ACCESS, secret_key=SECRET)
