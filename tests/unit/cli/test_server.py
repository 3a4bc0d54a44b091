"""`headrace server`: what `generate` writes and says, and what it makes of ports."""

import signal
from pathlib import Path

import pytest
from click.testing import CliRunner
from tests.unit.cli.running import run

from headrace.base.errors import OperatorError
from headrace.cli import server_generate, server_run
from headrace.cli.root import headrace
from headrace.documents.server_config import read_server_config
from headrace.documents.server_entry import ServerEntry
from headrace.server.generate import CONFIG_FILE, ENTRY_FILE


def test_generate_writes_a_server_and_says_what_to_do_next(tmp_path: Path) -> None:
    out = tmp_path / "new"
    words = ["--ip", "192.0.2.7", "--protocol", "ossh:443", "--protocol", "SSH:22", "--region", "CH"]
    result = CliRunner().invoke(
        headrace, ["server", "generate", *words, "--out", str(out)], catch_exceptions=False
    )
    assert result.exit_code == 0
    config = read_server_config((out / CONFIG_FILE).read_bytes())
    assert config.protocol_ports == {"OSSH": 443, "SSH": 22}
    entry = ServerEntry.decode((out / ENTRY_FILE).read_text().strip())
    assert (entry.ip_address, entry.region) == ("192.0.2.7", "CH")
    assert (entry.ssh_obfuscated_port, entry.ssh_port) == (443, 22)
    for text in (*(path.name for path in out.iterdir()), f"run --config {out / CONFIG_FILE}", "--entry"):
        assert text in result.output
    # What is shown on a screen may be seen by others: no secret is among it.
    for secret in (config.ssh_password, config.obfuscated_ssh_key, entry.encode()):
        assert secret not in result.output


@pytest.mark.parametrize(
    "texts", [("OSSH",), ("OSSH:",), ("OSSH:many",), ("OSSH:٣",), ("OSSH:999999",), ("SSH:1", "ssh:2")]
)
def test_protocols_that_make_no_sense(texts: tuple[str, ...]) -> None:
    with pytest.raises(OperatorError, match="--protocol"):
        server_generate._protocol_ports(texts)


@pytest.mark.parametrize(
    ("text", "address"),
    [(None, None), ("127.0.0.1", "127.0.0.1"), ("::1", "::1"), ("2001:DB8:0::1", "2001:db8::1")],
)
def test_addresses_to_listen_on(text: str | None, address: str | None) -> None:
    assert server_run._address(text) == address


def test_the_worker_is_no_command_for_people() -> None:
    assert CliRunner().invoke(headrace, ["server", "worker"]).exit_code == 2
    assert "worker " not in CliRunner().invoke(headrace, ["server", "--help"]).output


def test_orders_that_come_while_it_still_starts_do_not_end_it(tmp_path: Path) -> None:
    orders = (signal.SIGHUP, signal.SIGUSR1, signal.SIGUSR2, signal.SIGTSTP)
    before = {number: signal.getsignal(number) for number in orders}
    try:
        assert run("server", "run", "--config", tmp_path / "none").code == 2
        assert {signal.getsignal(number) for number in orders} == {signal.SIG_IGN}
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
