"""`headrace network sign-request`, `sign` and `sign-import`: signatures of keys that are elsewhere."""

import json
from datetime import UTC, datetime
from pathlib import Path

import click

from headrace.base.clock import SYSTEM_CLOCK
from headrace.base.errors import OperatorError
from headrace.cli.files import open_output, read_file
from headrace.cli.network.changing import Changing, changes
from headrace.cli.network.keys import key_passphrase

__all__ = ["sign", "sign_import"]

_input = click.Path(path_type=Path, dir_okay=False)


@click.command()
@click.argument("request", type=_input)
@click.option("--key", "key_file", required=True, type=_input, help="The key's file, from `key generate`.")
@click.option("--output", required=True, type=click.Path(dir_okay=False), help="The answer's file.")
@click.option("--yes", is_flag=True, help="Sign without asking.")
@click.option("--json", "as_json", is_flag=True, help="Report for programs.")
def sign(request: Path, key_file: Path, output: str, yes: bool, as_json: bool) -> None:
    """Sign, on the machine that has the key, what a network asks for in the file REQUEST.

    What is to be signed is shown first. The answer is taken back to the network, by `sign-import`.

    \b
    headrace network sign request.json --key list.key --output answer.json
    """
    from headrace.network.signing.key_files import open_key_file, read_key_file
    from headrace.network.signing.offline import encode_document, read_request, sign_request

    wanted = read_request(read_file(request, "the request"), str(request))
    held = read_key_file(read_file(key_file, "the key file"), str(key_file))
    if held.network != wanted.network:
        raise OperatorError(
            f"this key is for the network {held.network!r}, and the request comes from {wanted.network!r}"
        )
    pair = open_key_file(held, key_passphrase(str(key_file)))

    def confirm(lines: list[str]) -> bool:
        for line in lines:
            click.echo(line, err=True)
        return yes or click.confirm("Sign this?", err=True)

    now = datetime.fromtimestamp(SYSTEM_CLOCK.time(), UTC)
    answer = sign_request(wanted, pair, now, confirm)
    with open_output(output) as stream:
        stream.write(encode_document(answer))
    if as_json:
        click.echo(json.dumps({"signed": len(answer.items), "key": answer.key_id, "file": output}))
    else:
        click.echo(f"signed {len(answer.items):,}; take {output} back to the network")


@click.command("sign-import")
@click.argument("request", type=_input)
@click.argument("answer", type=_input)
@changes
def sign_import(changing: Changing, request: Path, answer: Path) -> None:
    """Take the signatures in ANSWER, which were asked for in REQUEST: all of them, or none.

    Each is verified. If there is more to sign afterwards, what needed these first, publish says so.

    \b
    headrace network sign-import request.json answer.json
    """
    from headrace.network.custody import import_signatures
    from headrace.network.model import NetworkKey
    from headrace.network.signing.offline import accept_response, read_request, read_response

    asked = read_request(read_file(request, "the request"), str(request))
    given = read_response(read_file(answer, "the answer"), str(answer))
    with changing.change() as change:
        if asked.network != change.settings.network_name:
            raise OperatorError(f"this request was made by the network {asked.network!r}")
        keys = change.all(NetworkKey, NetworkKey.key_id == asked.key_id, NetworkKey.retired_at.is_(None))
        if not keys:
            raise OperatorError(f"the key {asked.key_id} is not in use here any more")
        signatures = accept_response(given, asked, keys[0].public)
        count = import_signatures(change, asked.key_id, signatures)
        changing.tell(f"{count:,} signatures are new", imported=count)
