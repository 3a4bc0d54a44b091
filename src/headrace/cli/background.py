"""Starting `headrace client` as a process of its own, which outlives the terminal it was started from.

What it prints goes to a file beside its control socket: that is little, for its notices go elsewhere.
"""

import os
import subprocess
import sys
from collections.abc import Mapping, Sequence
from typing import Final

import click
from click.core import ParameterSource

from headrace.base.errors import NetworkError
from headrace.client.control_client import RunningClient, find
from headrace.client.control_place import ControlPlace

__all__ = ["Background", "arguments", "environment"]

#: Seconds between two looks at whether a process that was started answers.
_LOOK: Final = 0.05
#: Seconds that a process told to end has, before it is killed.
_LAST_WORDS: Final = 15.0
_MAX_OUTPUT = 1 << 16


def arguments(context: click.Context, params: Sequence[click.Parameter]) -> list[str]:
    """Return the words of the command line that gave these of the context's parameters.

    Those that may come from the `environment` are left to it: everybody can read command lines.
    """
    words: list[str] = []
    for param in params:
        name = param.name or ""
        if param.envvar or context.get_parameter_source(name) is not ParameterSource.COMMANDLINE:
            continue
        value = context.params[name]
        option = param.opts[0]
        if isinstance(param, click.Option) and param.is_flag:
            words += [option] if value else param.secondary_opts[:1]
        else:
            values = value if isinstance(value, tuple) else (value,)
            words += [f"{option}={each}" for each in values]
    return words


def environment(context: click.Context, params: Sequence[click.Parameter]) -> dict[str, str]:
    """Return the variables that give those of the parameters that may come from the environment."""
    given = {param.envvar: context.params[param.name or ""] for param in params}
    return {name: str(value) for name, value in given.items() if isinstance(name, str) and value is not None}


class Background:
    """A client that was started at `place`, with `words` and, besides our environment, `variables`."""

    def __init__(self, place: ControlPlace, words: Sequence[str], variables: Mapping[str, str]) -> None:
        self._name = place.name
        log = place.directory / f"{place.name}.log"
        log.unlink(missing_ok=True)
        handle = os.open(log, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o600)
        self._output = open(handle, "rb")
        command = [sys.executable, "-P", "-m", "headrace", "client", *words, f"--control={place.name}"]
        self._process = subprocess.Popen(  # noqa: S603 - ourselves, with the words of whoever started us
            command,
            env={**os.environ, **variables},
            stdin=subprocess.DEVNULL,
            stdout=handle,
            stderr=handle,
            start_new_session=True,
        )

    def output(self) -> str:
        """Return what it has printed."""
        self._output.seek(0)
        return self._output.read(_MAX_OUTPUT).decode(errors="replace").strip()

    def exit_code(self, timeout: float) -> int | None:
        """Return its exit code; None if it still runs in `timeout` seconds."""
        try:
            return self._process.wait(timeout)
        except subprocess.TimeoutExpired:
            return None

    def answering(self) -> RunningClient | None:
        """Wait until it can be asked; None when it has ended, or another of the name runs."""
        while self.exit_code(_LOOK) is None:
            try:
                client = find(self._name)
            except NetworkError:
                continue  # it is about to listen
            if client is not None and client.process in (0, self._process.pid):
                return client
            if client is not None:
                client.close()
        return None

    def end(self) -> None:
        """End it, in an orderly way if it can."""
        self._process.terminate()
        if self.exit_code(_LAST_WORDS) is None:
            self._process.kill()
            self._process.wait()
