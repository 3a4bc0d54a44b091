"""`headrace server run`: a server in this process and in those of its workers."""

import ipaddress
import sys
from pathlib import Path

import click

from headrace.base.errors import OperatorError
from headrace.cli.server_place import config_option, data_option
from headrace.server.early_signals import ignore_orders

__all__ = ["run"]


@click.command()
@config_option
@data_option
@click.option("--listen", metavar="ADDRESS", help="Listen on this address only; on every one by default.")
@click.option("--workers", type=click.IntRange(1), help="Processes to run; one per processor by default.")
def run(config: Path, data_directory: Path | None, listen: str | None, workers: int | None) -> None:
    """Run a server until it is stopped.

    SIGTERM and Ctrl-C let open tunnels drain for a while, a second one ends them at once. SIGHUP and SIGUSR1
    read the files again that the configuration names. After SIGTSTP no new tunnels are taken, until SIGCONT.
    SIGUSR2 logs the load.

    \b
    headrace server run --config my-server/psiphond.config
    """
    ignore_orders()
    from headrace.net.loop import run as run_loop
    from headrace.server.control import answer_questions
    from headrace.server.control_messages import CONTROL_SOCKET
    from headrace.server.load.duty import load_duty
    from headrace.server.observation import observation_duties
    from headrace.server.service import Service
    from headrace.server.startup import insist_on_free_ports, load_config, set_up_log, warn
    from headrace.server.supervisor import default_worker_count

    address = _address(listen)
    settings = load_config(config)
    set_up_log(settings, config)
    insist_on_free_ports(settings, address)
    warn(settings)
    data = data_directory or config.parent
    service = Service(
        [sys.executable, "-m", "headrace.server.process", str(config), str(data), address or ""],
        workers or settings.workers or default_worker_count(),
        drain=settings.drain_seconds,
        announce=_announce,
        duties=[
            *observation_duties(settings, config.parent),
            load_duty(settings.load_limits),
            lambda service: answer_questions(service, data / CONTROL_SOCKET),
        ],
    )
    run_loop(service.run())


def _address(text: str | None) -> str | None:
    try:
        return None if text is None else str(ipaddress.ip_address(text))
    except ValueError:
        raise OperatorError(f"--listen {text}: write an IP address of this machine") from None


def _announce(text: str) -> None:
    click.echo(f"headrace server: {text}")
