"""`headrace connect`: start a client in the background, and show how it gets on until it is connected."""

import contextlib
import sys
from collections.abc import Callable, Iterator
from typing import Any, NoReturn

import click
from rich.console import Console
from rich.progress import Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

from headrace.base.errors import NetworkError, OperatorError
from headrace.cli.background import Background, arguments, environment
from headrace.cli.client import client as client_command
from headrace.cli.status import exit_code, find_client, name_option, show
from headrace.cli.status_view import advice, progress_line
from headrace.cli.words import printable, say
from headrace.client.control_client import RunningClient
from headrace.client.control_place import DEFAULT_NAME, usable_place
from headrace.client.data_directory import default_data_directory
from headrace.client.status import State, Status

__all__ = ["connect"]

#: Seconds that a client has for its last words when connecting is broken off.
_LAST_WORDS = 15.0
_INTERRUPTED = 130

_CLIENT_PARAMS = [param for param in client_command.params if not getattr(param, "hidden", False)]


@click.command(cls=type(client_command), params=[*_CLIENT_PARAMS])
@click.argument("access_link", metavar="[LINK|FILE|-]", required=False)
@name_option
@click.option(
    "--wait",
    type=click.FloatRange(0),
    metavar="SECONDS",
    help="How long to wait for a tunnel before leaving the client to it; 0 only starts it.",
)
@click.option("--keep-trying", is_flag=True, help="Leave the client running when Ctrl-C ends the waiting.")
@click.pass_context
def connect(
    context: click.Context,
    /,
    access_link: str | None,
    name: str,
    wait: float | None,
    keep_trying: bool,
    **options: Any,
) -> None:
    """Start a client in the background, and wait until it is connected.

    LINK is an access link as somebody sent it, or a file that holds one; "-" reads it from standard input.
    Without one, --config or --entry says which servers to use.

    The command takes the options of "headrace client", and the client goes on when the terminal is closed.
    Ctrl-C while it is connecting ends it. Its notices are in files below its data directory.

    The exit code is 0 once there is a tunnel, 1 if there is none, and 2 if something has to be mended.

    \b
    headrace connect headrace://connect/1/AbCd...
    headrace connect --config client.config
    headrace status
    headrace disconnect
    """
    words, variables = arguments(context, _CLIENT_PARAMS), environment(context, _CLIENT_PARAMS)
    if access_link is not None:
        words += _linked(access_link, options)
    shown = "" if name == DEFAULT_NAME else f" --name {name}"
    place = usable_place(name)
    with contextlib.ExitStack() as starting:
        starting.enter_context(place.starting())
        running = find_client(name)
        if running is not None:
            _tell_of(running, shown)
        started = Background(place, words, variables)
        try:
            asked = started.answering()
            starting.close()  # whoever waited finds it now
            if asked is None:
                _give_up(started)
            with asked:
                last = _follow(asked, wait)
        except KeyboardInterrupt:
            if keep_trying:
                click.echo(f"it goes on in the background; headrace disconnect{shown} ends it", err=True)
            else:
                started.end()
                click.echo(f"stopped; headrace explain{shown} says what was tried", err=True)
            sys.exit(_INTERRUPTED)
    if last is None or last.state is State.ENDED:
        _give_up(started, last.problem if last is not None else "")
    _print_output(started)
    if last.state is not State.CONNECTED:
        click.echo(f"{progress_line(last)}; it goes on in the background")
        click.echo(f"headrace status{shown} says how it is, headrace explain{shown} what was tried")
        sys.exit(0 if wait == 0 else 1)
    show(last)
    click.echo("\nWhat to do now:")
    for line in advice(last, shown):
        click.echo(f"  {line}")


def _linked(given: str, options: dict[str, Any]) -> list[str]:
    """Return the words that have a client use a link, which is checked and kept first."""
    from headrace.cli.access import keep_link, link_text, network_directory, open_link

    if options["config"] or options["entry"] or options["link"]:
        raise OperatorError("a link says which servers to use: leave --config, --entry and --link out")
    text = link_text(given)
    found = open_link(text)
    directory = network_directory(found.configuration, default_data_directory())
    if found.label:
        click.echo(printable(found.label), err=True)
    if found.expires is not None:
        click.echo(f"this link is good until {found.expires:%Y-%m-%d %H:%M} UTC", err=True)
    return [f"--link={keep_link(text, directory)}"]


def _tell_of(running: RunningClient, shown: str) -> NoReturn:
    """Say that there is a client already, and end."""
    with running:
        status = running.status()
    click.echo(f"a client is running already; headrace disconnect{shown} ends it")
    show(status)
    sys.exit(exit_code(status))


def _give_up(started: Background, problem: str = "") -> NoReturn:
    """Say why a client has ended by itself, and end."""
    code = started.exit_code(_LAST_WORDS)
    output = _print_output(started)
    if code and code > 0 and output:
        sys.exit(code)
    why = problem or ("the client was killed" if code and code < 0 else "the client has ended")
    raise OperatorError(f"not connected: {why}", exit_code=1)


def _print_output(started: Background) -> str:
    output = started.output()
    if output:
        click.echo(output, err=True)
    return output


def _follow(asked: RunningClient, wait: float | None) -> Status | None:
    """Show how a client gets on; return its status when it is connected or `wait` is over, None if it ended.

    A client that tells why it ended has a status all the same.
    """
    with _progress() as tell:
        try:
            last = asked.status()
            tell(last)
            for last in asked.watch(wait):
                tell(last)
                if last.state in (State.CONNECTED, State.ENDED):
                    return last
        except TimeoutError:
            return last
        except NetworkError:
            pass
    return None


@contextlib.contextmanager
def _progress() -> Iterator[Callable[[Status], None]]:
    """Yield what shows a status on standard error: each problem, and where a person is watching, the rest."""
    console = Console(stderr=True, highlight=False)
    told = ""

    def tell_problem(status: Status) -> None:
        nonlocal told
        if status.problem and status.problem != told and status.state is not State.ENDED:
            say(console, status.problem)
        told = status.problem or told

    if not console.is_terminal:
        yield tell_problem
        return
    # The spinner is in ASCII: Python writes UTF-8 whatever the C locale says.
    columns = (SpinnerColumn("line"), TextColumn("{task.description}", markup=False), TimeElapsedColumn())
    with Progress(*columns, console=console, transient=True) as shown:
        job = shown.add_task("connecting")

        def tell(status: Status) -> None:
            tell_problem(status)
            shown.update(job, description=progress_line(status))

        yield tell
