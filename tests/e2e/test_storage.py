"""The storage servers answer as `storage` says they do: what is fetched in other tests stands on it."""

import hashlib
import ssl
from http.client import HTTPConnection, HTTPSConnection
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from tests.certificates import Authority
from tests.e2e.storage import Storage, object_storage

from headrace.testing.origin import payload

BODY = payload(100_000)
NAME = "server_list_compressed"
OTHER = '"another"'

Answer = tuple[int, bytes, dict[str, str]]


@pytest.fixture
def path(storage: Storage) -> str:
    return f"{storage.prefix()}/{NAME}"


def ask(url: str, authority: Authority, method: str = "GET", **headers: str) -> Answer:
    """Make one request; return status, body, and headers by their lower-case names."""
    parts = urlsplit(url)
    assert parts.hostname is not None
    if parts.scheme == "https":
        trust = ssl.create_default_context(cafile=authority.file)
        connection: HTTPConnection = HTTPSConnection(parts.hostname, parts.port, timeout=10, context=trust)
    else:
        connection = HTTPConnection(parts.hostname, parts.port, timeout=10)
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    try:
        connection.request(method, parts.path, headers=named)
        response = connection.getresponse()
        body = response.read()
        return response.status, body, {name.lower(): value for name, value in response.getheaders()}
    finally:
        connection.close()


def test_what_they_answer(storage: Storage, path: str, authority: Authority) -> None:
    etag = storage.put(path, BODY)
    url = storage.url(path)

    def get(**headers: str) -> Answer:
        return ask(url, authority, **headers)

    status, body, headers = get()
    assert (status, body, headers["etag"]) == (200, BODY, etag)
    status, body, headers = get(Range="bytes=0-")
    assert (status, body, headers["etag"]) == (206, BODY, etag)
    assert headers["content-range"] == "bytes 0-99999/100000"
    for conditions in ({}, {"Range": "bytes=0-"}):
        status, body, headers = get(If_None_Match=etag, **conditions)
        assert (status, body, headers["etag"]) == (304, b"", etag)
    assert get(If_None_Match=OTHER, Range="bytes=0-")[:2] == (206, BODY)
    assert get(If_Match=etag, Range="bytes=60000-")[:2] == (206, BODY[60_000:])
    for conditions, expected in (
        ({"If_Match": OTHER, "Range": "bytes=60000-"}, 412),
        ({"If_Match": etag, "Range": "bytes=100000-"}, 416),
        ({"Range": "bytes=100001-"}, 416),
    ):
        status, body, headers = get(**conditions)
        assert status == expected
        assert body
        assert "etag" not in headers
    status, body, headers = ask(url, authority, "HEAD")
    assert (status, body, headers["etag"], headers["content-length"]) == (200, b"", etag, "100000")
    assert ask(url, authority, "HEAD", Range="bytes=10-")[0] == 206
    assert ask(url + "x", authority)[0] == 404


def test_what_only_one_of_them_does(nginx: Storage, s3: Storage, authority: Authority) -> None:
    answers = {}
    for storage in (nginx, s3):
        path = f"{storage.prefix()}/{NAME}"
        etag = storage.put(path, BODY)
        answers[storage] = ask(storage.url(path), authority, Range="bytes=60000-", If_Range=OTHER)[:2]
        assert (etag == f'"{hashlib.md5(BODY).hexdigest()}"') == (storage is s3)
    assert answers == {nginx: (200, BODY), s3: (206, BODY[60_000:])}


def test_a_new_version_has_a_new_etag(storage: Storage, path: str, authority: Authority) -> None:
    etags = []
    for version in (b"one version", b"two version"):
        etags.append(storage.put(path, version))
        status, body, headers = ask(storage.url(path), authority)
        assert (status, body, headers["etag"]) == (200, version, etags[-1])
    assert etags[0] != etags[1]
    storage.delete(path)
    assert ask(storage.url(path), authority)[0] == 404


def test_both_names_of_this_machine_are_certified(storage: Storage, path: str, authority: Authority) -> None:
    storage.put(path, BODY)
    assert ask(storage.url(path, host="127.0.0.1"), authority)[0] == 200


def test_nobody_else_trusts_the_authority(storage: Storage, path: str, tmp_path: Path) -> None:
    with pytest.raises(ssl.SSLCertVerificationError):
        ask(storage.url(path), Authority(tmp_path))


def test_an_s3_server_without_tls(tmp_path: Path, authority: Authority) -> None:
    with object_storage(tmp_path / "server") as storage:
        etag = storage.put(NAME, BODY)
        assert storage.url(NAME).startswith("http://")
        assert ask(storage.url(NAME), authority)[1:2] == (BODY,)
        assert etag == f'"{hashlib.md5(BODY).hexdigest()}"'
    with pytest.raises(ConnectionRefusedError):
        ask(storage.url(NAME), authority)
