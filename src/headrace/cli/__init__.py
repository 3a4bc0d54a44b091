"""The `headrace` command: parsing and printing only. Each subcommand is imported when it is used."""

from headrace.cli.root import main

__all__ = ["main"]
