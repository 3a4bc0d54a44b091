"""The commands of an operator, by name."""

import click

from headrace.cli.network.place import LIKELY
from headrace.cli.root import LazyGroup

__all__ = ["network"]

_HERE = "headrace.cli.network"


@click.group(
    cls=LazyGroup,
    lazy={
        "quickstart": f"{_HERE}.quickstart:quickstart",
        "run": f"{_HERE}.quickstart:run",
        "init": f"{_HERE}.init:init",
        "plan": f"{_HERE}.publish:plan",
        "publish": f"{_HERE}.publish:publish",
        "status": f"{_HERE}.publish:status",
        "server": f"{_HERE}.servers:server",
        "host": f"{_HERE}.hosts:host",
        "channel": f"{_HERE}.channels:channel",
        "sponsor": f"{_HERE}.sponsors:sponsor",
        "campaign": f"{_HERE}.campaigns:campaign",
        "provider": f"{_HERE}.providers:provider",
        "homepage": f"{_HERE}.homepages:homepage",
        "client-version": f"{_HERE}.versions:client_version",
        "setting": f"{_HERE}.settings:setting",
        "replace": f"{_HERE}.replacing:replace",
        "prune": f"{_HERE}.pruning:prune",
        "revoke": f"{_HERE}.revoking:revoke",
        "rotate-key": f"{_HERE}.rotating:rotate_key",
        "bundle": f"{_HERE}.bundles:bundle",
        "key": f"{_HERE}.keys:key",
        "sign-request": f"{_HERE}.publish:sign_request",
        "sign": f"{_HERE}.signing:sign",
        "sign-import": f"{_HERE}.signing:sign_import",
        "diversity": f"{_HERE}.diversity:diversity",
        "simulate": f"{_HERE}.simulate:simulate",
        "audit": f"{_HERE}.audit:audit",
        "history": f"{_HERE}.audit:history",
        "export": f"{_HERE}.exchange:export",
        "import": f"{_HERE}.exchange:import_",
        "backup": f"{_HERE}.backups:backup",
        "restore": f"{_HERE}.backups:restore",
        "lock": f"{_HERE}.backups:lock",
        "completion": f"{_HERE}.completion:completion",
    },
    epilog=LIKELY,
)
def network() -> None:
    """Run a network: who owns which server, who may learn of it, and what is published.

    Every command that changes something takes --dry-run, says what it changed and what must now be
    published, and leaves an entry in the audit log.

    \b
    headrace network quickstart                a whole private network on this machine
    headrace network init my-network           an empty one, to be filled
    headrace network status                    what is there, and what is stale
    """
