"""`headrace server generate`: the files of a new server."""

from pathlib import Path

import click

from headrace.base.errors import OperatorError

__all__ = ["generate"]


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
