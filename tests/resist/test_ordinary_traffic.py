"""Reference traffic is what it is said to be: real programs, real servers, all kinds of handshakes."""

import os
import shutil
from collections import Counter
from pathlib import Path
from ssl import TLSVersion

import pytest
from tests.interop.programs import missing

from headrace.base.rng import SeededRng
from headrace.net.streams import ByteStream
from headrace.resist import corpus
from headrace.resist.corpus import gather_reference
from headrace.resist.exchanges import PROGRAMS, some_requests
from headrace.resist.handshakes import connect_directly
from headrace.resist.pages import visit
from headrace.resist.shapes import MSS
from headrace.resist.websites import SIZES, running_websites, trusting

pytestmark = [pytest.mark.root, pytest.mark.timeout(180)]


@pytest.fixture(autouse=True)
def programs() -> None:
    for name in ("tcpdump", "nginx", "chromium", "curl", "wget", "openssl"):
        if shutil.which(name) is None and shutil.which(name, path="/usr/sbin") is None:
            missing(name)
    if os.geteuid() != 0:
        missing("root, to capture")


async def test_every_program_and_every_kind_of_handshake_is_recorded(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(corpus, "BATCH", 80)
    monkeypatch.setattr(corpus, "BROWSER_HOSTS", 10)
    told: Counter[str] = Counter()

    def tell(what: str, done: int, total: int) -> None:
        told[what] += 1

    async def gather() -> corpus.Reference:
        return await gather_reference(tmp_path, exchanges=70, handshakes=60, rng=SeededRng(1), tell=tell)

    reference = await gather()
    assert set(reference.ordinary) == {*PROGRAMS, "chromium"}
    assert min(map(len, reference.ordinary.values())) >= 5
    assert set(reference.handshakes) == {"TLS 1.2", "TLS 1.3", "TLS 1.3 with ML-KEM"}
    assert min(map(len, reference.handshakes.values())) >= 5
    assert all(abs(size) <= MSS for sizes in reference.ordinary_flows + reference.direct for size in sizes)
    assert all(sizes[0] > 0 for sizes in reference.direct)
    # Key shares of ML-KEM take a second segment.
    assert all(sizes[1] > 0 for sizes in reference.handshakes["TLS 1.3 with ML-KEM"])
    before = told.total()
    assert await gather() == reference
    assert told.total() == before, "it is kept"


async def test_a_page_takes_as_many_streams_as_it_is_to() -> None:
    opened = []

    async with running_websites(1) as sites:

        async def connect(port: int) -> ByteStream:
            opened.append(port)
            return await connect_directly(port)

        newest = next(site.port for site in sites.tls if site.version is TLSVersion.TLSv1_3)
        await visit(connect, newest, trusting(TLSVersion.TLSv1_3), SeededRng(1), streams=3)
        assert opened == [newest] * 3
        await visit(connect, sites.nginx[0], None, SeededRng(1), streams=1)
        assert opened[3:] == [sites.nginx[0]]


def test_requests_are_of_all_kinds() -> None:
    rng = SeededRng(1)
    connections = [some_requests("http://127.0.0.1:8080", rng) for _ in range(500)]
    asked = [one for connection in connections for one in connection]
    assert {len(connection) for connection in connections} >= {1, 2, 20}
    assert 0.2 < sum(one.body is not None for one in asked) / len(asked) < 0.4
    assert {header for one in asked for header in one.headers} == {
        "Cookie", "Referer", "Authorization", "Content-Type",
    }  # fmt: skip
    assert SIZES[0] == 200
    assert SIZES[-1] == 5_000_000
