"""`headrace network quickstart` as a new operator runs it, and what the link it prints is worth to others."""

import json
import sqlite3
import sys
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import boto3
import pytest
from moto.server import ThreadedMotoServer
from tests.e2e.test_demo import commands_about
from tests.interop.programs import Program, curl, run, running, unused_port
from tests.processes import TUNNELS

from headrace.documents.access_link import make_link, read_link
from headrace.network.book import Book
from headrace.network.model import Server
from headrace.network.vault import file_key
from headrace.server.generate import generate_server
from headrace.testing.peers import host_key

pytestmark = pytest.mark.timeout(120)

NOW = datetime(2020, 1, 1, tzinfo=UTC)
HEADRACE = (sys.executable, "-m", "headrace")


@asynccontextmanager
async def quickstart(directory: Path, *options: str) -> AsyncIterator[tuple[Program, dict[str, Any]]]:
    """Run it in a directory; it runs, and has said what there is to know, when the block begins."""
    command = (*HEADRACE, "network", "quickstart", "relay", "--region", "DE", "--json", *options)
    async with running(*command, directory=directory) as program:
        line = await program.says('{"network"', patience=60)
        yield program, json.loads(line)


@asynccontextmanager
async def linked(directory: Path, link: str) -> AsyncIterator[tuple[Program, int]]:
    """Run a client that has nothing but a link until it has a tunnel; with the port of its HTTP proxy."""
    directory.mkdir(exist_ok=True)
    async with running(*HEADRACE, "client", "--link", link, directory=directory) as program:
        port = json.loads(await program.says('"ListeningHttpProxyPort"'))["data"]["port"]
        await program.says(TUNNELS.format(1))
        yield program, port


def stored(directory: Path, query: str) -> set[Any]:
    """Return what a client has in its store."""
    (file,) = directory.rglob("client-store.db")
    with sqlite3.connect(file) as database:
        found = {row[0] for row in database.execute(query)}
    database.close()
    return found


def dead_entry() -> str:
    """Return an entry that leads to where nobody is."""
    return generate_server(ip="127.0.0.9", protocols={"OSSH": unused_port()}, host_key=host_key("rsa")).entry


async def test_a_client_with_only_the_link_has_all_that_the_network_offers(tmp_path: Path) -> None:
    async with quickstart(tmp_path) as (_, told):
        with Book.open(
            str(tmp_path / "relay" / "network.db"), file_key(tmp_path / "relay" / "operator.key")
        ) as book:
            with book.view() as view:
                addresses = {server.address for server in view.all(Server)}
                page = view.settings.public_urls[0] + "/"
        async with linked(tmp_path / "client", told["link"]) as (client, port):
            await client.says('"noticeType":"Homepage"')
            body = await curl("--proxy", f"http://127.0.0.1:{port}", page, directory=tmp_path)
            assert b"The tunnel works." in body
        assert stored(tmp_path / "client", "SELECT address FROM entry") == addresses
        assert len(addresses) == 2
    assert commands_about(tmp_path) == []


async def test_a_client_whose_servers_are_all_blocked_finds_others_in_the_lists(tmp_path: Path) -> None:
    async with quickstart(tmp_path) as (_, told):
        access = read_link(told["link"], NOW)
        dead = dead_entry()
        changes = {"EmbeddedServerEntryList": [dead], "EstablishTunnelWorkTimeSeconds": 1.0}
        blocked = make_link({**access.configuration, **changes})
        async with linked(tmp_path / "client", blocked):
            pass
        fetched = {url.rpartition("/")[2] for url in stored(tmp_path / "client", "SELECT url FROM etag")}
        assert "server_list_compressed" in fetched


async def test_started_again_it_has_the_same_link_and_its_clients_come_back(tmp_path: Path) -> None:
    async with quickstart(tmp_path) as (_, first):
        pass
    async with quickstart(tmp_path) as (_, second):
        assert second["link"] == first["link"]
        async with linked(tmp_path / "client", first["link"]):
            pass


async def test_a_link_past_its_expiry_is_refused_by_the_client_itself(tmp_path: Path) -> None:
    async with quickstart(tmp_path, "--expires", "7d") as (_, told):
        link = told["link"]
        async with linked(tmp_path / "client", link):
            pass
    assert told["expires"] is not None
    over = make_link(read_link(link, NOW).configuration, NOW)
    refused = await run(*HEADRACE, "connect", over, directory=tmp_path)
    assert refused.returncode == 2
    assert b"was good until 2020-01-01 00:00 UTC; ask whoever gave it to you for a new one" in refused.stderr


async def test_the_whole_network_goes_with_a_bad_address_and_leaves_nothing(tmp_path: Path) -> None:
    command = (*HEADRACE, "network", "quickstart", "relay", "--address", "192.0.2.1", "--region", "DE")
    failed = await run(*command, directory=tmp_path, patience=60)
    assert failed.returncode == 2
    assert b"192.0.2.1 is no address of this machine" in failed.stderr
    assert not (tmp_path / "relay" / "network.db").exists()


@pytest.fixture
def bucket() -> Iterator[str]:
    """An S3-compatible service with a bucket that everybody can read; the URL of the service."""
    port = unused_port()
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=port, verbose=False)
    server.start()
    url = f"http://127.0.0.1:{port}"
    keys = {"aws_access_key_id": "AKIAEXAMPLE", "aws_secret_access_key": "SECRETEXAMPLE"}
    service = boto3.client("s3", endpoint_url=url, region_name="us-east-1", **keys)
    service.create_bucket(Bucket="public-bucket")
    reading = {"Effect": "Allow", "Principal": "*", "Action": "s3:GetObject"}
    everything = {**reading, "Resource": "arn:aws:s3:::public-bucket/*"}
    policy = json.dumps({"Version": "2012-10-17", "Statement": [everything]})
    service.put_bucket_policy(Bucket="public-bucket", Policy=policy)
    service.close()
    yield url
    server.stop()


async def test_a_storage_service_can_take_the_place_of_the_directory(tmp_path: Path, bucket: str) -> None:
    options = (
        *("--store", f"s3://public-bucket/lists?endpoint={bucket}"),
        *("--store-url", f"{bucket}/public-bucket/lists", "--store-keys", "AKIAEXAMPLE:SECRETEXAMPLE"),
        *("--home-page", "https://example.org/"),
    )
    async with quickstart(tmp_path, *options) as (_, told):
        dead = dead_entry()
        changes = {"EmbeddedServerEntryList": [dead], "EstablishTunnelWorkTimeSeconds": 1.0}
        blocked = make_link({**read_link(told["link"], NOW).configuration, **changes})
        async with linked(tmp_path / "client", blocked):
            pass
    assert b"SECRETEXAMPLE" not in (tmp_path / "relay" / "network.db").read_bytes()
