"""A signed list on its way from real storage to a disk: cut again and again, forged, stale, or a bomb."""

import asyncio
import io
import json
import subprocess
import sys
import zlib
from collections.abc import AsyncIterator
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import pytest_asyncio
from tests.certificates import Authority
from tests.e2e.storage import Storage, web_server

from headrace.base.errors import DocumentError
from headrace.base.rng import SeededRng
from headrace.crypto.rsa_signing import PackageSigningKey
from headrace.documents.server_list import encode_list
from headrace.documents.signed_package import make_package, open_package
from headrace.net.fetch import Download, DownloadFailed, resume_download
from headrace.net.http import HttpClient, direct
from headrace.net.tls import Trust
from headrace.testing.censor import CLOSE, RESET, STALL, Censor, Rule
from headrace.testing.entries import make_entries

KEY = PackageSigningKey.generate(2048)
LIST = encode_list(make_entries(1000))
PACKAGE = make_package(LIST, KEY)
CUTS = 50
FLIPS = 1000
MIB = 1 << 20


@pytest.fixture
def path(storage: Storage) -> str:
    return f"{storage.prefix()}/server_list_compressed"


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "remote_server_list"


@pytest_asyncio.fixture
async def client(authority: Authority) -> AsyncIterator[HttpClient]:
    async with HttpClient(direct, Trust(authority.file, system=False)) as trusting:
        yield trusting


async def fetch(
    client: HttpClient,
    url: str,
    file: Path,
    *,
    if_none_match: str = "",
    skip_verify: bool = False,
    timeout: float = 20,
) -> Download:
    return await resume_download(
        client,
        url,
        file,
        user_agent="psiphon-tunnel-core/1 (Linux_x86_64)",
        timeout=timeout,
        if_none_match=if_none_match,
        skip_verify=skip_verify,
    )


def part(file: Path) -> Path:
    return file.with_name(file.name + ".part")


def size_of(file: Path) -> int:
    return file.stat().st_size if file.exists() else 0


def names(directory: Path) -> set[str]:
    return {entry.name for entry in directory.iterdir()}


def verified(file: Path) -> str:
    """Return the list in a downloaded package. Raises DocumentError."""
    with file.open("rb") as stream:
        return "\n".join(open_package(stream, KEY.public).lines())


# ---- cut off ----------------------------------------------------------------------------------------------


async def test_a_list_cut_again_and_again_arrives_whole(
    storage: Storage, path: str, client: HttpClient, file: Path
) -> None:
    rng = SeededRng("cuts")
    etag = storage.put(path, PACKAGE)
    # Some cuts come in the TLS handshake, which is done again; most of them amid the list.
    rules = [
        Rule(rng.choice((RESET, CLOSE, STALL)), down=rng.between(1, 2 * len(PACKAGE) // CUTS))
        for _ in range(CUTS)
    ]
    received = 0
    async with Censor(storage.port, rules=rules) as censor:
        url = storage.url(path, port=censor.port)
        for number in range(CUTS):
            before = size_of(part(file))
            attempt = asyncio.create_task(fetch(client, url, file))
            passage = await censor.connection(number)
            if rules[number].ending is STALL:
                await passage.struck.wait()
                attempt.cancel()  # as when the attempt's time is up, or the client ends
                with suppress(asyncio.CancelledError):
                    await attempt
            else:
                with pytest.raises(DownloadFailed) as failed:
                    await attempt
                assert size_of(part(file)) == before + failed.value.bytes_received
            received += size_of(part(file)) - before
            assert not file.exists()
        assert received == size_of(part(file)) > len(PACKAGE) // 4
        download = await fetch(client, url, file)
        assert len(censor.connections) == CUTS + 1
    assert download == Download(len(PACKAGE) - received, etag)  # not a byte was taken twice
    assert names(file.parent) == {file.name}
    assert file.read_bytes() == PACKAGE
    assert verified(file) == LIST


async def test_a_stalled_download_ends_with_its_time_and_goes_on(
    nginx: Storage, client: HttpClient, file: Path
) -> None:
    path = f"{nginx.prefix()}/server_list_compressed"
    nginx.put(path, PACKAGE)
    async with Censor(nginx.port, rules=[Rule(STALL, down=200_000)]) as censor:
        url = nginx.url(path, port=censor.port)
        with pytest.raises(DownloadFailed, match=r"not complete within 0\.5 s") as failed:
            await fetch(client, url, file, timeout=0.5)
        assert 150_000 < failed.value.bytes_received == size_of(part(file)) < 200_000
        await censor.connections[0].ended.wait()
        download = await fetch(client, url, file)
    assert download.bytes_received == len(PACKAGE) - failed.value.bytes_received
    assert verified(file) == LIST


# ---- conditions -------------------------------------------------------------------------------------------


async def test_a_list_that_is_known_is_not_sent_again(
    storage: Storage, path: str, client: HttpClient, file: Path
) -> None:
    etag = storage.put(path, PACKAGE)
    assert await fetch(client, storage.url(path), file) == Download(len(PACKAGE), etag)
    file.unlink()
    again = await fetch(client, storage.url(path), file, if_none_match=etag)
    assert again == Download(0, etag, modified=False)
    assert names(file.parent) == set()
    newer = storage.put(path, PACKAGE)
    if newer != etag:  # nginx tells versions apart by their time
        assert (await fetch(client, storage.url(path), file, if_none_match=etag)).modified


async def test_a_list_that_changes_in_between_is_begun_again(
    storage: Storage, path: str, client: HttpClient, file: Path
) -> None:
    storage.put(path, PACKAGE)
    async with Censor(storage.port, rules=[Rule(RESET, down=len(PACKAGE) // 2)]) as censor:
        with pytest.raises(DownloadFailed):
            await fetch(client, storage.url(path, port=censor.port), file)
    assert size_of(part(file)) > len(PACKAGE) // 3
    newer = encode_list(make_entries(10, seed=2))
    etag = storage.put(path, make_package(newer, KEY))
    with pytest.raises(DownloadFailed, match="has changed"):
        await fetch(client, storage.url(path), file)
    assert names(file.parent) == set()
    assert (await fetch(client, storage.url(path), file)).etag == etag
    assert verified(file) == newer


async def test_a_list_that_was_complete_stays_as_it_is(
    storage: Storage, path: str, client: HttpClient, file: Path
) -> None:
    etag = storage.put(path, PACKAGE)
    part(file).write_bytes(PACKAGE)  # killed just before the last step
    part(file).with_suffix(".part.etag").write_text(etag)
    assert (await fetch(client, storage.url(path), file)).bytes_received == 0
    assert file.read_bytes() == PACKAGE  # and not the error page of the 416 behind it


async def test_a_list_that_is_not_there(storage: Storage, path: str, client: HttpClient, file: Path) -> None:
    with pytest.raises(DownloadFailed, match="404"):
        await fetch(client, storage.url(path), file)
    assert size_of(part(file)) == 0
    assert not file.exists()


# ---- servers that are somebody else -----------------------------------------------------------------------


async def test_a_server_nobody_vouches_for_is_refused_unless_told_otherwise(
    storage: Storage, path: str, tmp_path: Path
) -> None:
    storage.put(path, PACKAGE)
    file = tmp_path / "download" / "list"
    file.parent.mkdir()
    others = Authority(tmp_path / "others")
    async with HttpClient(direct, Trust(others.file, system=False)) as suspicious:
        with pytest.raises(DownloadFailed, match="not trusted"):
            await fetch(suspicious, storage.url(path), file)
        assert size_of(part(file)) == 0
        await fetch(suspicious, storage.url(path), file, skip_verify=True)
        assert verified(file) == LIST  # the list is signed by itself
        file.unlink()
        with pytest.raises(DownloadFailed, match="not trusted"):
            await fetch(suspicious, storage.url(path), file)
    assert not file.exists()


@pytest.mark.parametrize(
    ("names", "days", "problem"),
    [
        (("elsewhere.example", "127.0.0.2"), 0, "another name"),
        (("localhost",), -30, "expired"),
        (("localhost",), 30, "not yet valid"),
    ],
)
async def test_a_certificate_that_does_not_hold_is_refused(
    names: tuple[str, ...], days: int, problem: str, authority: Authority, client: HttpClient, tmp_path: Path
) -> None:
    certificate = authority.certify(*names, now=datetime.now(UTC) + timedelta(days=days))
    file = tmp_path / "list"
    with web_server(tmp_path / "server", authority, certificate) as storage:
        storage.put("list", PACKAGE)
        with pytest.raises(DownloadFailed, match=problem):
            await fetch(client, storage.url("list"), file)
        assert size_of(part(file)) == 0
        await fetch(client, storage.url("list"), file, skip_verify=True)
    assert verified(file) == LIST


# ---- lists that are something else ------------------------------------------------------------------------

#: Opens a package in a process of its own; prints the outcome, and how many bytes it took.
OPEN = """
import json, resource, sys
from headrace.base.errors import DocumentError
from headrace.crypto.rsa_signing import PackageVerifyingKey
from headrace.documents.signed_package import open_package

key, lines, problem = PackageVerifyingKey.from_text(sys.argv[2]), 0, ""
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
try:
    with open(sys.argv[1], "rb") as file:
        lines = sum(1 for line in open_package(file, key).lines())
except DocumentError as error:
    problem = str(error)
after = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
print(json.dumps([lines, problem, (after - before) * 1024]))
"""


def open_elsewhere(file: Path) -> tuple[int, str, int]:
    """Open a package in a child; return the number of lines, what was wrong, and the memory it took."""
    command = (sys.executable, "-c", OPEN, file, KEY.public.to_text())
    done = subprocess.run(command, capture_output=True, check=True, timeout=30)
    lines, problem, memory = json.loads(done.stdout)
    return lines, problem, memory


def bomb(start: bytes, filler: bytes, mebibytes: int = 1024) -> bytes:
    """Return a zlib stream of `start` and so many MiB of one byte: quickly, as each MiB is packed alike."""
    block = filler * MIB
    packer = zlib.compressobj(9, wbits=-15)
    packed = bytearray(zlib.compress(b"", 9)[:2])
    packed += packer.compress(start) + packer.flush(zlib.Z_FULL_FLUSH)
    once = packer.compress(block) + packer.flush(zlib.Z_FULL_FLUSH)
    packed += once * mebibytes + packer.flush()
    checksum = zlib.adler32(start)
    for _ in range(mebibytes):
        checksum = zlib.adler32(block, checksum)
    return bytes(packed) + checksum.to_bytes(4, "big")


def test_the_bomb_is_a_true_zlib_stream() -> None:
    assert zlib.decompress(bomb(b"start", b"0", 2)) == b"start" + b"0" * 2 * MIB


@pytest.mark.parametrize(
    ("start", "filler", "problem"),
    [(b"", b"\0", "not a package"), (b'{"data":"', b"0", "too large"), (b'{"data":"', b" ", "too large")],
)
async def test_a_gigabyte_of_nothing_is_refused_in_little_memory(
    start: bytes, filler: bytes, problem: str, nginx: Storage, client: HttpClient, file: Path
) -> None:
    path = f"{nginx.prefix()}/server_list_compressed"
    nginx.put(path, bomb(start, filler))
    await fetch(client, nginx.url(path), file)
    lines, said, memory = await asyncio.to_thread(open_elsewhere, file)
    assert lines == 0
    assert problem in said
    assert memory < 8 * MIB


async def test_a_true_list_takes_little_memory_too(file: Path) -> None:
    big = "\n".join([LIST] * 4)
    file.write_bytes(make_package(big, KEY))
    lines, problem, memory = await asyncio.to_thread(open_elsewhere, file)
    assert (lines, problem) == (4000, "")
    assert memory < 8 * MIB < len(big)


def test_a_package_with_one_bit_changed_is_refused_whole() -> None:
    text = encode_list(make_entries(10))
    package = make_package(text, KEY)
    rng = SeededRng("flips")
    refused = 0
    for _ in range(FLIPS):
        place = rng.between(0, 8 * len(package) - 1)
        changed = bytearray(package)
        changed[place // 8] ^= 1 << place % 8
        lines: list[str] = []
        try:
            lines += open_package(io.BytesIO(changed), KEY.public).lines()
            assert "\n".join(lines) == text  # as the level in zlib's header says nothing
        except DocumentError:
            refused += 1
            assert lines == []
    assert refused > 0.99 * FLIPS
