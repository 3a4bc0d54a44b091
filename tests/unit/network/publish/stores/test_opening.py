"""Stores and hosts by URL: what operators may write, and what they are told otherwise."""

import subprocess
import sys
from pathlib import Path
from urllib.parse import quote

import pytest

from headrace.base.errors import OperatorError
from headrace.network.publish.stores.opening import open_hosts, open_store
from headrace.network.publish.stores.stored import StoredObject

ACCESS, SECRET = "AKIAEXAMPLE", "hunter2hunter2"


def test_a_file_url_is_a_directory(tmp_path: Path) -> None:
    place = tmp_path / "a b%c#d"
    for url in (f"file://{quote(str(place))}", f"file://localhost{quote(str(place))}/"):
        store = open_store(url)
        store.put(StoredObject("x", b"data"))
        assert (place / "x").read_bytes() == b"data"
        assert str(store) == f"the directory {place}"


def test_what_storage_services_need_is_loaded_for_them_only(tmp_path: Path) -> None:
    program = """
import sys
from headrace.network.publish.stores.opening import open_hosts, open_store
open_store(sys.argv[1]), open_hosts(sys.argv[1])
print(sorted({"boto3", "botocore"} & sys.modules.keys()))
"""
    ran = subprocess.run(
        [sys.executable, "-c", program, f"file://{tmp_path}"], stdout=subprocess.PIPE, text=True, check=True
    )
    assert ran.stdout == "[]\n"


def test_a_file_url_is_where_the_hosts_are(tmp_path: Path) -> None:
    told: list[str] = []
    hosts = open_hosts(f"file://{tmp_path}/hosts", told.append)
    hosts.put("one", "file", b"data")
    hosts.reload("one")
    assert (tmp_path / "hosts" / "one" / "file").read_bytes() == b"data"
    assert told == ["one"]


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("s3://bucket", "s3://bucket/ at Amazon S3"),
        ("s3://bucket/a/b/?region=eu-west-1", "s3://bucket/a/b at Amazon S3"),
        ("s3://bucket/a?endpoint=http://127.0.0.1:9000", "s3://bucket/a at http://127.0.0.1:9000"),
        (
            "s3://bucket?endpoint=https%3A%2F%2Fs.example.org&addressing=virtual",
            "s3://bucket/ at https://s.example.org",
        ),
    ],
)
def test_an_s3_url_is_a_bucket(url: str, shown: str) -> None:
    assert repr(open_store(url, ACCESS, SECRET)) == shown


BAD_STORES = [
    ("", "no scheme"),
    ("/srv/site", "no scheme"),
    ("https://example.org/", "begin with 'https:'"),
    ("ftp://example.org/", "begin with 'ftp:'"),
    ("http://[", "what should be a URL is none"),
    ("file://", "the URL of a directory is file:///path"),
    ("file:///", "name one below the root"),
    ("file:relative", "the URL of a directory is file:///path"),
    ("file://server/path", "the URL of a directory is file:///path"),
    ("file:///a?b", "the URL of a directory is file:///path"),
    ("file:///a/../../etc", r"without \"\.\.\""),
    ("file:///a/%2e%2e/etc", r"without \"\.\.\""),
    ("file:///a%00", "unprintable"),
    ("file:///a\n", "unprintable"),
    ("s3://", "names no bucket"),
    ("s3:///prefix", "names no bucket"),
    ("s3://b", "names no bucket"),
    ("s3://bucket:80/", "names no bucket"),
    ("s3://bucket/a/../b", "the prefix"),
    ("s3://bucket/a%5Cb", "the prefix"),
    ("s3://bucket?endpoint=ftp://example.org", "the endpoint"),
    ("s3://bucket?endpoint=http://", "the endpoint"),
    ("s3://bucket?endpoint=http://a:0", "the endpoint"),
    ("s3://bucket?endpoint=http://a:99999", "the endpoint"),
    ("s3://bucket?endpoint=storage.example.org", "the endpoint"),
    ("s3://bucket?endpoint=http://host%2F%3Fx=1", "the endpoint"),
    ("s3://bucket?region=a/b", "bad region"),
    ("s3://bucket?region=a&region=b", "at most once"),
    ("s3://bucket?acl=public", "at most once, and nothing else"),
    ("s3://bucket#x", "nothing else"),
    ("s3://bucket?addressing=both", '"path" or "virtual"'),
]


@pytest.mark.parametrize(("url", "said"), BAD_STORES)
def test_other_urls_are_explained(url: str, said: str) -> None:
    with pytest.raises(OperatorError, match=said) as caught:
        open_store(url, ACCESS, SECRET)
    assert SECRET not in str(caught.value)


def test_the_forms_that_there_are_are_named() -> None:
    for url in ("gs://bucket", "nonsense"):
        with pytest.raises(OperatorError, match=r"use file:///path, or s3://bucket/prefix\?endpoint="):
            open_store(url)
    for url in ("ssh://host", "s3://bucket", "nonsense"):
        with pytest.raises(OperatorError, match=r"no way to hosts .*: use file:///path$"):
            open_hosts(url)


@pytest.mark.parametrize(
    "url",
    [
        f"s3://{ACCESS}:{SECRET}@bucket/",
        f"s3://{SECRET}@bucket",
        f"s3://bucket?endpoint=http://a:{SECRET}@host",
    ],
)
def test_secrets_in_urls_are_refused_and_not_repeated(url: str) -> None:
    for open_one in (lambda url: open_store(url, ACCESS, SECRET), open_hosts):
        with pytest.raises(OperatorError) as caught:
            open_one(url)
        assert SECRET not in str(caught.value)


@pytest.mark.parametrize(
    ("access", "secret"), [("", ""), (ACCESS, ""), ("", SECRET), (ACCESS, SECRET + "\n")]
)
def test_a_storage_service_needs_both_keys(access: str, secret: str) -> None:
    with pytest.raises(OperatorError, match="set both for the network") as caught:
        open_store("s3://bucket", access, secret)
    assert SECRET not in str(caught.value)
