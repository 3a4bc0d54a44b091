"""A PostgreSQL of our own: a cluster in a directory that goes away, reached over a socket in it."""

import os
import pwd
import secrets
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from tests.interop.programs import missing

__all__ = ["Cluster", "running_cluster"]

#: Who runs it where we are root, which it refuses to be run by.
_ACCOUNT = "postgres"
#: What makes a database that need not survive quick.
_SETTINGS = "-c listen_addresses= -c fsync=off -c synchronous_commit=off -c full_page_writes=off"


class Cluster:
    """A running cluster."""

    def __init__(self, directory: Path, programs: Path, account: dict[str, Any]) -> None:
        self._directory, self._programs, self._account = directory, programs, account

    @contextmanager
    def database(self) -> Iterator[str]:
        """Give out the URL of an empty database."""
        name = f"test_{secrets.token_hex(6)}"
        self._run("createdb", "-h", str(self._directory), "-U", _ACCOUNT, name)
        try:
            yield f"postgresql://{_ACCOUNT}@/{name}?host={self._directory}"
        finally:
            self._run("dropdb", "--force", "-h", str(self._directory), "-U", _ACCOUNT, name)

    def _run(self, program: str, *arguments: str) -> None:
        done = subprocess.run(
            [self._programs / program, *arguments],
            cwd=self._directory,
            stdout=subprocess.DEVNULL,  # the server keeps it open
            stderr=subprocess.PIPE if program != "pg_ctl" else subprocess.DEVNULL,
            text=True,
            **self._account,
        )
        assert done.returncode == 0, f"{program}: {done.stderr}"

    def start(self) -> None:
        """Make the cluster and start it."""
        data, socket = str(self._directory / "data"), str(self._directory)
        self._run("initdb", "-D", data, "-U", _ACCOUNT, "--auth=trust", "--no-sync", "-E", "UTF8")
        log = str(self._directory / "log")
        self._run("pg_ctl", "start", "-w", "-D", data, "-l", log, "-o", f"-k {socket} {_SETTINGS}")

    def stop(self) -> None:
        """Stop it, at once."""
        self._run("pg_ctl", "stop", "-w", "-m", "immediate", "-D", str(self._directory / "data"))


@contextmanager
def running_cluster() -> Iterator[Cluster]:
    """Run a cluster; see `missing` where there is no PostgreSQL."""
    programs = _programs()
    account: dict[str, Any] = {}
    directory = Path(tempfile.mkdtemp(prefix="pg-", dir="/tmp"))  # a socket's path is to be short
    try:
        if os.geteuid() == 0:
            entry = pwd.getpwnam(_ACCOUNT)
            os.chown(directory, entry.pw_uid, entry.pw_gid)
            account = {"user": entry.pw_uid, "group": entry.pw_gid, "extra_groups": []}
        cluster = Cluster(directory, programs, account)
        cluster.start()
        try:
            yield cluster
        finally:
            cluster.stop()
    finally:
        shutil.rmtree(directory)


def _programs() -> Path:
    """Return where the newest PostgreSQL has its programs; Debian does not put them on the path."""
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"))
    if found:
        return found[-1].parent
    on_path = shutil.which("initdb")
    return Path(on_path).parent if on_path else missing("PostgreSQL")
