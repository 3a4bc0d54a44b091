"""What there is far away: names, a page and an echo of datagrams, where `tests.namespaces` has them."""

import asyncio

from tests.datagrams import Answering, NameServer
from tests.namespaces import ECHO_PORT, NAME_SERVER, PAGE, SITE

_ANSWER = b"HTTP/1.1 200 OK\r\nContent-Length: 6\r\nConnection: close\r\n\r\nhello\n"


async def _serve_page(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    await reader.readuntil(b"\r\n\r\n")
    writer.write(_ANSWER)
    writer.close()


async def main() -> None:
    """Serve until killed."""
    names, echo = NameServer({PAGE: [SITE]}), Answering(host=SITE)
    names.host, names.port, echo.port = NAME_SERVER, 53, ECHO_PORT
    async with names, echo, await asyncio.start_server(_serve_page, SITE, 80) as pages:
        print("open")
        await pages.serve_forever()


if __name__ == "__main__":
    asyncio.run(main())
