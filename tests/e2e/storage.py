"""Where lists are published, for real: nginx and an S3-compatible server, as child processes on loopback.

    with web_server(directory, authority) as storage:            # nginx, TLS
        etag = storage.put("web/abcd-efgh-ijkl/server_list_compressed", package)
        storage.url("web/abcd-efgh-ijkl/server_list_compressed")
    with object_storage(directory, authority) as storage:        # moto's S3, TLS; without authority, HTTP

Both put `BUCKET` in front of the path, as published URLs do: https://localhost:PORT/bucket/web/.../name. What
they answer, nginx 1.22 and moto 5.2 alike unless said, as looked up by `test_storage`:

    GET, Range: bytes=0-                      206, all of it, Content-Range
    GET, If-None-Match: its ETag              304, ETag, no body, whether or not there is a Range
    GET, Range within, If-Match: its ETag     206
    GET, Range within, If-Match: another      412, with a body (HTML or XML), without ETag
    GET, Range from its end on                416, with such a body, without ETag, even with If-Match
    GET, Range within, If-Range: another      nginx 200 and all of it; moto takes no notice of it: 206
    HEAD                                      200, the headers of GET; with Range 206
    not there                                 404

moto closes the connection after each answer, and its ETag is the MD5 of the object, as with S3. nginx's is
made of the modification time in seconds and the size: two versions of a size within a second would share one,
so `put` gives each version a second of its own.
"""

import os
import queue
import re
import signal
import subprocess
import sys
import threading
from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from itertools import count
from pathlib import Path
from typing import Any
from unittest import mock

import boto3
from botocore.config import Config
from tests.certificates import HERE, Authority, Certificate
from tests.interop.programs import program, unused_port

__all__ = ["BUCKET", "Storage", "object_storage", "web_server"]

BUCKET = "bucket"

#: Seconds for a program to start, and to end.
PATIENCE = 20.0
#: No file, service or variable of this machine's owner has a part in it.
_ALONE = {
    "AWS_ACCESS_KEY_ID": "test",
    "AWS_SECRET_ACCESS_KEY": "test",
    "AWS_EC2_METADATA_DISABLED": "true",
    "AWS_CONFIG_FILE": os.devnull,
    "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
}
_NGINX = """
daemon off;
{user}
pid nginx.pid;
worker_processes 1;
error_log error.log info;
error_log stderr notice;
events {{ worker_connections 512; }}
http {{
    access_log access.log;
    client_body_temp_path temporary;
    proxy_temp_path temporary;
    fastcgi_temp_path temporary;
    uwsgi_temp_path temporary;
    scgi_temp_path temporary;
    default_type application/octet-stream;
    server {{
        listen 127.0.0.1:{port} ssl;
        ssl_certificate "{chain}";
        ssl_certificate_key "{key}";
        root files;
    }}
}}
"""


class Storage(ABC):
    """A published bucket. Paths are those below the bucket."""

    def __init__(self, scheme: str, port: int) -> None:
        self.port = port
        self._scheme = scheme
        self._prefixes = (f"web/{number:04d}-abcd-efgh" for number in count())

    def prefix(self) -> str:
        """Return a folder that no other test uses."""
        return next(self._prefixes)

    def url(self, path: str, *, host: str = "localhost", port: int | None = None) -> str:
        """Return the URL of an object; `port` is for what stands in front of the server."""
        return f"{self._scheme}://{host}:{port or self.port}/{BUCKET}/{path}"

    @abstractmethod
    def put(self, path: str, data: bytes) -> str:
        """Publish an object, or a new version of it; return its ETag, quotes included."""

    @abstractmethod
    def delete(self, path: str) -> None:
        """Take an object back."""


class _Files(Storage):
    """What nginx serves."""

    def __init__(self, port: int, root: Path) -> None:
        super().__init__("https", port)
        self._root = root
        self._times = count(1_700_000_000)

    def put(self, path: str, data: bytes) -> str:
        file = self._root / BUCKET / path
        file.parent.mkdir(parents=True, exist_ok=True)
        draft = file.with_name(file.name + ".new")
        draft.write_bytes(data)
        time = next(self._times)
        os.utime(draft, (time, time))
        draft.replace(file)
        return f'"{time:x}-{len(data):x}"'

    def delete(self, path: str) -> None:
        (self._root / BUCKET / path).unlink()


class _Objects(Storage):
    """What the S3 server has in its memory."""

    def __init__(self, scheme: str, port: int, client: Any) -> None:
        super().__init__(scheme, port)
        self._client = client

    def put(self, path: str, data: bytes) -> str:
        done = self._client.put_object(Bucket=BUCKET, Key=path, Body=data, ACL="public-read")
        return str(done["ETag"])

    def delete(self, path: str) -> None:
        self._client.delete_object(Bucket=BUCKET, Key=path)


@contextmanager
def web_server(
    directory: Path, authority: Authority, certificate: Certificate | None = None
) -> Iterator[Storage]:
    """Run nginx from a new `directory`, with a certificate for this machine unless another one is given."""
    certificate = certificate or authority.certify(*HERE)
    nginx = program("nginx")
    root = directory / "files"
    root.mkdir(parents=True)
    port = unused_port()
    # Started by root, workers would become somebody who may not look into our directories.
    user = "user root root;" if os.geteuid() == 0 else ""
    config = _NGINX.format(user=user, port=port, chain=certificate.chain, key=certificate.key)
    (directory / "nginx.conf").write_text(config)
    command = (nginx, "-p", str(directory), "-e", "stderr", "-c", "nginx.conf")
    with _running(command, directory) as server:
        server.says("start worker process ")
        yield _Files(port, root)


@contextmanager
def object_storage(directory: Path, authority: Authority | None = None) -> Iterator[Storage]:
    """Run an S3 server with an empty bucket in it, over TLS if there is an authority to vouch for it."""
    directory.mkdir(parents=True)
    tls: tuple[str, ...] = ()
    if authority:
        certificate = authority.certify(*HERE)
        tls = ("-c", str(certificate.chain), "-k", str(certificate.key))
    command = (sys.executable, "-m", "moto.server", "-H", "127.0.0.1", "-p", "0", *tls)
    with ExitStack() as stack:
        server = stack.enter_context(_running(command, directory))
        found = re.search(r"(https?)://127\.0\.0\.1:(\d+)", server.says("Running on"))
        assert found
        scheme, port = found[1], int(found[2])
        with mock.patch.dict(os.environ, _ALONE):
            client = boto3.client(
                "s3",
                endpoint_url=f"{scheme}://127.0.0.1:{port}",
                region_name="us-east-1",
                verify=str(authority.file) if authority else None,
                config=Config(s3={"addressing_style": "path"}, proxies={}, retries={"total_max_attempts": 1}),
            )
        stack.callback(client.close)
        client.create_bucket(Bucket=BUCKET)
        yield _Objects(scheme, port, client)


class _Child:
    """A program that runs as long as it is needed; what it prints is kept in a file beside its own."""

    def __init__(self, process: subprocess.Popen[str], log: Path) -> None:
        self._process = process
        self._log = log
        self._lines: queue.Queue[str] = queue.Queue()
        self._reader = threading.Thread(target=self._read)
        self._reader.start()

    def says(self, text: str) -> str:
        """Wait for a line with `text` and return it. Raises AssertionError if the program ends without."""
        while line := self._lines.get(timeout=PATIENCE):
            if text in line:
                return line
        raise AssertionError(f"ended without saying {text!r}:\n{self._log.read_text()}")

    def end(self) -> None:
        """Ask it to end; insist if that does not help."""
        self._process.terminate()
        try:
            self._process.wait(PATIENCE)
        except subprocess.TimeoutExpired:
            os.killpg(self._process.pid, signal.SIGKILL)
        self._reader.join()

    def _read(self) -> None:
        assert self._process.stdout is not None
        with self._log.open("w") as log:
            for line in self._process.stdout:
                log.write(line)
                log.flush()
                self._lines.put(line)
        self._lines.put("")


@contextmanager
def _running(command: Sequence[str], directory: Path) -> Iterator[_Child]:
    with subprocess.Popen(
        command,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        errors="replace",
        cwd=directory,
        env={"PATH": os.environ.get("PATH", ""), "HOME": str(directory), "PYTHONUNBUFFERED": "1", **_ALONE},
        process_group=0,  # a Ctrl-C is for us: the child is ended in order, with its own children
    ) as process:
        child = _Child(process, directory / "output.log")
        try:
            yield child
        finally:
            child.end()
