"""Running the desktop's own programs: the one door through which this room reaches them."""

import os
import subprocess
from collections.abc import Callable, Sequence
from typing import Final

from headrace.base.errors import OperatorError

__all__ = ["Run", "run"]

#: What runs a command and returns what it printed. Raises OperatorError.
Run = Callable[[Sequence[str]], str]

#: Seconds for programs that take a few milliseconds, unless the desktop's message bus hangs.
_PATIENCE: Final = 5.0


def run(command: Sequence[str]) -> str:
    """Run `command`, no shell in between; return what it printed. Raises OperatorError."""
    name = command[0]
    try:
        done = subprocess.run(  # noqa: S603 - one of this room's own commands
            command,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=_PATIENCE,
            env={**os.environ, "LC_ALL": "C.UTF-8"},
            encoding="utf-8",
            errors="surrogateescape",
        )
    except FileNotFoundError:
        raise OperatorError(
            f"{name} is not installed: install it, or choose another --system-proxy"
        ) from None
    except subprocess.TimeoutExpired:
        raise OperatorError(f"{name} has not answered within {_PATIENCE:g} seconds") from None
    except OSError as error:
        raise OperatorError(f"{name} cannot be run: {error.strerror}") from error
    if done.returncode:
        why = (done.stderr or done.stdout).strip() or f"exit code {done.returncode}"
        raise OperatorError(f"{name}: {why}")
    return done.stdout
