"""The programs of everyday use, and a browser, through our client and over the deployed server."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio
from tests.e2e.test_browser import test_thirty_things_at_once_and_a_websocket
from tests.e2e.test_programs import (
    test_a_websocket,
    test_an_ipv6_address,
    test_curl_asks_otherwise,
    test_curl_downloads,
    test_curl_keeps_its_connection,
    test_curl_makes_many_connections_at_once,
    test_curl_resumes_a_big_download,
    test_curl_speaks_http2,
    test_curl_uploads,
    test_git_clones,
    test_wget_mirrors_a_site,
    test_wget_resumes_a_big_download,
)
from tests.e2e.test_proxy_failures import TOLD, check, curl
from tests.everyday import Everyday, everyday
from tests.interop.reference import psiphond
from tests.processes import Way

from headrace.documents.entry_fields import encode_fields
from headrace.testing.dead_ends import refusing

__all__ = [
    "test_a_websocket",
    "test_an_ipv6_address",
    "test_curl_asks_otherwise",
    "test_curl_downloads",
    "test_curl_keeps_its_connection",
    "test_curl_makes_many_connections_at_once",
    "test_curl_resumes_a_big_download",
    "test_curl_speaks_http2",
    "test_curl_uploads",
    "test_git_clones",
    "test_thirty_things_at_once_and_a_websocket",
    "test_wget_mirrors_a_site",
    "test_wget_resumes_a_big_download",
]

pytestmark = [pytest.mark.reference, pytest.mark.asyncio(loop_scope="module")]


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def here(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Everyday]:
    """Our client behind psiphond, shared by all tests."""
    directory = tmp_path_factory.mktemp("everyday")
    async with psiphond(directory / "server") as entry:
        async with everyday(directory, encode_fields(entry)) as network:
            yield network


@pytest.mark.parametrize("way", list(Way))
async def test_a_refusal_without_a_reason(here: Everyday, way: Way, tmp_path: Path) -> None:
    """That server does not say why it will not: applications are told what is most often so."""
    with refusing() as port:
        outcome = await curl(here.client, way, f"http://127.0.0.1:{port}/", directory=tmp_path)
    check(outcome, way, *TOLD["refused"])
