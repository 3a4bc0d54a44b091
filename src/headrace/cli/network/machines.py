"""Machines that an operator has got ready, as a command line or a file names them."""

import json
from collections.abc import Callable
from dataclasses import fields
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
import msgspec

from headrace.base.errors import OperatorError
from headrace.cli.files import read_file
from headrace.cli.network.fields import ip_address, read_text

if TYPE_CHECKING:
    from headrace.network.lifecycle.creation import Machine

__all__ = ["machine_options", "machines_of"]


def machine_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """Give a command the options for `machines_of`, as one argument each."""
    for option in (
        click.option(
            "--machines",
            "file",
            type=click.Path(path_type=Path, dir_okay=False),
            help='A file of machines instead, [{"address": "192.0.2.7", "region": "DE"}, …]; other names'
            " in it are those of the options.",
        ),
        click.option(
            "--management-credential",
            type=click.Path(dir_okay=False, allow_dash=True),
            help="A file with the key or password that logs in; it is kept sealed.",
        ),
        click.option(
            "--management-host-key", help="The machine's own SSH key, as ssh-keyscan prints it there."
        ),
        click.option("--management-user", help="As whom."),
        click.option(
            "--management-port", type=click.IntRange(1, 65_535), help="On which port; 22 unless given."
        ),
        click.option("--management-address", help="Where it is managed; its address unless given."),
        click.option(
            "--deployment",
            type=click.Choice(["native", "container", "local"]),
            help="How the server gets there: local, it is this machine; native unless given, if there is a"
            " host key.",
        ),
        click.option(
            "--egress-address", type=ip_address, help="Where its traffic leaves, if that is another."
        ),
        click.option("--internal-address", type=ip_address, help="Where it listens, if that is another."),
        click.option("--datacenter", help="Where it is, as the provider says."),
        click.option("--host-name", "name", help="What the machine is called; drawn unless given."),
        click.option("--region", help="The country it is in, two letters."),
        click.option("--address", "addresses", multiple=True, help="What clients connect to; repeatable."),
    ):
        command = option(command)
    return command


def machines_of(
    addresses: tuple[str, ...],
    file: Path | None,
    *,
    region: str | None,
    management_credential: str | None,
    **options: Any,
) -> "list[Machine]":
    """Return the machines; what is the same of all is in the options. Raises OperatorError, UsageError."""
    from headrace.network.lifecycle.creation import Machine

    shared = {name: value for name, value in options.items() if value is not None}
    if bool(addresses) == (file is not None):
        raise click.UsageError("give the machine's --address, or a file of --machines.")
    if file is not None:
        if shared or region or management_credential:
            raise click.UsageError("what is in the file of --machines is not given as options.")
        return _read(file)
    if not region:
        raise click.UsageError("give the --region, the country that the machine is in, like DE.")
    if management_credential is not None:
        shared["management_credential"] = read_text(management_credential, "the credential")
    if len(addresses) > 1 and "name" in shared:
        raise click.UsageError("several machines cannot have one --host-name.")
    return [Machine(**_complete({"address": each, "region": region.upper(), **shared})) for each in addresses]


def _read(file: Path) -> "list[Machine]":
    from headrace.network.lifecycle.creation import Machine

    known = [field.name for field in fields(Machine)]
    try:
        found = json.loads(read_file(file, "the machines"))
        if not isinstance(found, list) or not found:
            raise OperatorError(f"{file} is no list of machines")
        for each in found:
            if isinstance(each, dict) and (unknown := each.keys() - set(known)):
                raise OperatorError(
                    f"{file}: {min(unknown)!r} is nothing of a machine; {', '.join(known)} are"
                )
        return msgspec.convert([_complete(each) for each in found], list[Machine])
    except msgspec.ValidationError as error:
        raise OperatorError(f"{file}: {error}") from None
    except ValueError:
        raise OperatorError(f"{file} is not JSON; write a list of machines") from None


def _complete(machine: Any) -> Any:
    """Return a machine with what follows from the rest of it."""
    if not isinstance(machine, dict):
        return machine
    remote = bool(machine.get("management_host_key"))
    machine = {"deployment": "native" if remote else "local", **machine}
    if machine["deployment"] != "local":
        machine.setdefault("management_address", machine.get("address", ""))
    return machine
