"""nginx on loopback, an ordinary web server; all that it writes is in a directory of its own."""

import os
import shutil
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Final

from headrace.base.errors import OperatorError
from headrace.resist.children import running

__all__ = ["running_nginx"]

_CONFIG: Final = """
daemon off;
%s
pid nginx.pid;
worker_processes 1;
error_log stderr notice;
events { worker_connections 4096; }
http {
    client_body_temp_path temporary;
    proxy_temp_path temporary;
    fastcgi_temp_path temporary;
    uwsgi_temp_path temporary;
    scgi_temp_path temporary;
    %s
}
"""


@asynccontextmanager
async def running_nginx(directory: Path, http: str) -> AsyncIterator[None]:
    """Run nginx while the block runs; `http` is its configuration, in which paths are those of `directory`.

    Raises OperatorError if it is not there, or does not start.
    """
    program = shutil.which("nginx") or shutil.which("nginx", path="/usr/sbin")
    if program is None:
        raise OperatorError("nginx is not installed: install it (Debian: apt install nginx-light)")
    # Started by root, workers would become somebody who may not look into our directories.
    user = "user root root;" if os.geteuid() == 0 else ""
    (directory / "nginx.conf").write_text(_CONFIG % (user, http))
    command = (program, "-p", directory.absolute(), "-e", "stderr", "-c", "nginx.conf")
    async with running(*command, directory=directory) as nginx:
        await nginx.says("start worker process ")
        nginx.ignore()
        yield
