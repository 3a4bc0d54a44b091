"""A website as there are many: nginx, over HTTP/1.1 and over TLS with HTTP/2, and what there is to fetch.

/pages/             an index, which links to PAGES numbered pages
/pages/N.html
/big                BIG bytes, nearly all of them zero: see `is_big`
/repository/.git    COMMITS commits, for clients that know only how to fetch files
"""

import os
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from tests.certificates import HERE, Authority
from tests.interop.programs import complete, program, running, unused_port

__all__ = ["BIG", "COMMITS", "PAGES", "Website", "is_big", "page_text", "running_website"]

BIG = 1_000_000_000
COMMITS = 5
PAGES = 30

#: Between two marks in the big file, each of them eight bytes that tell where it is.
_STRIDE = 1_000_000
_CONFIG = """
daemon off;
{user}
pid nginx.pid;
worker_processes 1;
error_log stderr notice;
events {{ worker_connections 512; }}
http {{
    access_log off;
    client_body_temp_path temporary;
    proxy_temp_path temporary;
    fastcgi_temp_path temporary;
    uwsgi_temp_path temporary;
    scgi_temp_path temporary;
    default_type application/octet-stream;
    types {{ text/html html; }}
    sendfile on;
    server {{
        listen 127.0.0.1:{http};
        listen 127.0.0.1:{https} ssl http2;
        ssl_certificate "{chain}";
        ssl_certificate_key "{key}";
        root files;
        index index.html;
    }}
}}
"""


@dataclass(frozen=True, slots=True)
class Website:
    """The site's ports, and who vouches for it. Its host is a name, which somebody has to resolve."""

    http: int
    https: int
    authority: Path

    def url(self, path: str, *, tls: bool = False) -> str:
        scheme, port = ("https", self.https) if tls else ("http", self.http)
        return f"{scheme}://localhost:{port}{path}"


def page_text(number: int) -> str:
    """Return what is on a page."""
    return f"<!doctype html><title>{number}</title>" + f"<p>This is page {number}.</p>\n" * number


@asynccontextmanager
async def running_website(directory: Path) -> AsyncIterator[Website]:
    """Run the website from a new directory."""
    files = directory / "files"
    (files / "pages").mkdir(parents=True)
    links = "".join(f'<li><a href="{number}.html">{number}</a></li>' for number in range(PAGES))
    (files / "pages/index.html").write_text(f"<!doctype html><title>pages</title><ul>{links}</ul>")
    for number in range(PAGES):
        (files / f"pages/{number}.html").write_text(page_text(number))
    with (files / "big").open("wb") as big:
        big.truncate(BIG)
        for start, mark in _marks():
            big.seek(start)
            big.write(mark)
    await _make_repository(files / "repository")
    authority = Authority(directory / "authority")
    certificate = authority.certify(*HERE)
    http, https = unused_port(), unused_port()
    config = _CONFIG.format(
        # Started by root, workers would become somebody who may not look into our directories.
        user="user root root;" if os.geteuid() == 0 else "",
        http=http,
        https=https,
        chain=certificate.chain,
        key=certificate.key,
    )
    (directory / "nginx.conf").write_text(config)
    command = (program("nginx"), "-p", directory, "-e", "stderr", "-c", "nginx.conf")
    async with running(*command, directory=directory) as nginx:
        await nginx.says("start worker process ")
        yield Website(http, https, authority.file)


async def _make_repository(work: Path) -> None:
    """Make a repository some of whose objects are packed, some are not."""
    git = program("git")
    author = ("-c", "user.name=Somebody", "-c", "user.email=somebody@example.com")
    work.mkdir()
    await complete(git, "init", "--quiet", "--initial-branch=main", directory=work)
    for number in range(COMMITS):
        (work / f"{number}.txt").write_text(page_text(number) * 1000)
        await complete(git, "add", ".", directory=work)
        await complete(git, *author, "commit", "--quiet", "-m", f"Add {number}", directory=work)
        if number == COMMITS // 2:
            await complete(git, "gc", "--quiet", directory=work)
    await complete(git, "update-server-info", directory=work)


def _marks() -> Iterator[tuple[int, bytes]]:
    for start in range(0, BIG, _STRIDE):
        yield start, start.to_bytes(8, "big")


def is_big(file: Path) -> bool:
    """Whether a file is the big one, byte by byte."""
    rest = bytes(_STRIDE - 8)
    with file.open("rb") as content:
        return all(content.read(8) == mark and content.read(len(rest)) == rest for _, mark in _marks()) and (
            not content.read(1)
        )
