"""`headrace server`: make a server, and run it."""

import ipaddress
import sys
from pathlib import Path

import click

from headrace.base.errors import OperatorError
from headrace.cli.root import LazyGroup

__all__ = ["generate", "run", "server", "worker"]


@click.group(
    cls=LazyGroup,
    lazy={"generate": "headrace.cli.server:generate", "run": "headrace.cli.server:run"},
)
def server() -> None:
    """Make a server of your own, and run it.

    \b
    headrace server generate --ip 203.0.113.7 --protocol OSSH:443 --out my-server
    headrace server run --config my-server/psiphond.config
    """


@click.command()
@click.option("--ip", required=True, help="The server's public IP address.")
@click.option(
    "--protocol",
    "protocols",
    multiple=True,
    required=True,
    metavar="NAME:PORT",
    help="A tunnel protocol and its port, like OSSH:443 or SSH:22. May be given several times.",
)
@click.option("--region", default="", help="Two-letter code of the country where traffic leaves.")
@click.option("--out", type=click.Path(path_type=Path), required=True, help="Directory for the files.")
@click.option("--force", is_flag=True, help="Replace files that are there already, and with them the keys.")
def generate(ip: str, protocols: tuple[str, ...], region: str, out: Path, force: bool) -> None:
    """Make keys, a configuration and the server entry that clients need.

    The files can be run by the stock server as well. Whoever has the entry can use the server; nobody can use
    it without.

    \b
    headrace server generate --ip 203.0.113.7 --protocol OSSH:443 --region CH --out my-server
    """
    from headrace.server.generate import CONFIG_FILE, ENTRY_FILE, generate_server

    generated = generate_server(ip=ip, protocols=_protocol_ports(protocols), region=region)
    generated.write(out, force=force)
    for name in generated.files:
        click.echo(f"wrote {out / name}")
    click.echo(
        f"\nStart the server:   headrace server run --config {out / CONFIG_FILE}\n"
        f"Give to users:      {out / ENTRY_FILE}\n"
        f"They connect with:  headrace client --entry {ENTRY_FILE}"
    )


def _protocol_ports(texts: tuple[str, ...]) -> dict[str, int]:
    ports: dict[str, int] = {}
    for text in texts:
        name, colon, port = text.upper().partition(":")
        if not colon or not port.isascii() or not port.isdigit() or len(port) > 5:
            raise OperatorError(f"--protocol {text}: write a protocol and a port, for instance OSSH:443")
        if name in ports:
            raise OperatorError(f"--protocol {text}: {name} was given a port already: leave one out")
        ports[name] = int(port)
    return ports


_config_option = click.option(
    "--config",
    type=click.Path(path_type=Path),
    required=True,
    help="Configuration file, as made by `generate` or by the stock server.",
)
_data_option = click.option(
    "--data-directory",
    type=click.Path(path_type=Path),
    help="Where to remember what must survive a restart; the configuration's directory by default.",
)
_listen_option = click.option(
    "--listen", metavar="ADDRESS", help="Listen on this address only; on every one by default."
)


@click.command()
@_config_option
@_data_option
@_listen_option
@click.option("--workers", type=click.IntRange(1), help="Processes to run; one per processor by default.")
def run(config: Path, data_directory: Path | None, listen: str | None, workers: int | None) -> None:
    """Run a server until it is stopped.

    SIGTERM and Ctrl-C let open tunnels drain for a while, a second one ends them at once. SIGHUP reads the
    traffic rules and the prefixes again.

    \b
    headrace server run --config my-server/psiphond.config
    """
    from headrace.net.loop import run as run_loop
    from headrace.server.process import Process
    from headrace.server.supervisor import default_worker_count, run_workers

    process = Process(config, data_directory, _address(listen))
    settings = process.load()
    process.insist_on_free_ports()
    count = workers or settings.workers or default_worker_count()
    if count == 1:
        run_loop(process.run(announce=_announce))
        return
    arguments = ["--config", str(config)]
    if data_directory is not None:
        arguments += ["--data-directory", str(data_directory)]
    if listen is not None:
        arguments += ["--listen", listen]
    command = [sys.executable, "-m", "headrace.cli.server", *arguments]
    process.warn()
    run_loop(run_workers(lambda index: command, count, announce=_announce))


def _address(text: str | None) -> str | None:
    try:
        return None if text is None else str(ipaddress.ip_address(text))
    except ValueError:
        raise OperatorError(f"--listen {text}: write an IP address of this machine") from None


def _announce(text: str) -> None:
    click.echo(f"headrace server: {text}")


@click.command()
@_config_option
@_data_option
@_listen_option
def worker(config: Path, data_directory: Path | None, listen: str | None) -> None:
    """Run one worker process for a supervisor."""
    from headrace.net.loop import run as run_loop
    from headrace.server.process import Process

    sys.exit(run_loop(Process(config, data_directory, listen).run_supervised()))


if __name__ == "__main__":
    worker()
