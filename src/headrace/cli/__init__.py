"""The `headrace` command: parsing and printing only. What a subcommand takes is imported when it is used."""

import sys

from headrace.cli.interrupts import QuietInterrupts

__all__ = ["main"]


def main() -> None:
    """Run the command; Ctrl-C ends it without a traceback at any moment, the loading of code included."""
    with QuietInterrupts():
        from headrace.cli.root import main as run
    try:
        run()
    except KeyboardInterrupt:
        sys.exit(130)
