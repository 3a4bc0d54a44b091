"""Everything that is wrong, or strange, with the files of a server, before it is run with them.

Nothing is changed, and nobody is asked anything but whether the web server behind the front answers: a server
may run with these files meanwhile.
"""

import io
import os
import socket
import stat
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Final

from headrace.base.errors import DocumentError
from headrace.discovery.extract import HORIZON
from headrace.discovery.strategy import make_strategy
from headrace.documents.blocklist import read_blocklist
from headrace.documents.config_reader import field_names, fold_deep, read_object
from headrace.documents.json_lines import find_line
from headrace.documents.osl.config import OslConfig, read_osl_config
from headrace.documents.psinet import PSINET_FIELDS, Psinet, read_psinet
from headrace.documents.server_config import ServerConfig, examine_server_config
from headrace.documents.tactics_config import TACTICS_FIELDS, read_tactics_config
from headrace.documents.traffic_rules import TRAFFIC_RULES_FIELDS, read_traffic_rules
from headrace.server.findings import Finding, Level, found
from headrace.server.geoip import GeoIP
from headrace.server.oddities import in_configuration, in_rules, unknown_names
from headrace.ssh.host_keys import HostKey

__all__ = ["check_server"]

#: Seconds that a web server on this machine has to take a connection.
FRONT_TIMEOUT: Final = 2.0
#: Seconds after which whoever writes the psinet database is late (operations spec §1.9).
PSINET_FRESH: Final = 24 * 3600.0

_Odd = Iterator[tuple[str, str]]  # where in the file, and what
_Reader = Callable[[bytes, str], _Odd]  # of content and file name; raises DocumentError


def check_server(path: Path, data_directory: Path | None, now: float) -> list[Finding]:
    """Return what there is to mend in a configuration and the files it names; `now` in seconds since 1970."""
    place = data_directory or path.parent
    findings = [*_check_config(path, now)]
    if not os.access(place, os.R_OK | os.W_OK | os.X_OK):
        findings.append(
            _error(place, "is no directory that can be written: the server keeps its memory there")
        )
    return findings


def _check_config(path: Path, now: float) -> Iterator[Finding]:
    try:
        data = path.read_bytes()
        fields = read_object(data, str(path))
    except OSError as error:
        yield _error(path, f"cannot be read: {error.strerror}")
        return
    except DocumentError as error:
        yield found(path, data, str(error))
        return
    config, problems = examine_server_config(fields)
    for problem in problems:
        yield found(path, data, problem)
    if config.ssh_private_key:
        yield from _tried(path, data, partial(HostKey.from_pem, config.ssh_private_key), "SSHPrivateKey")
    strategy = partial(make_strategy, config.server_discovery_strategy, config.discovery_value_hmac_key)
    yield from _tried(path, data, strategy, "ServerDiscoveryStrategy")
    for field, text in (
        *in_configuration(config),
        *unknown_names(config.unknown_fields, field_names(ServerConfig)),
    ):
        yield _warning(path, text, field, data)
    place = config.front_place
    if place is not None and (reason := _deaf(place)):
        text = f"no web server answers there ({reason}): strangers will hear nothing"
        yield _warning(path, text, "HTTPFront", data)
    yield from _secret(path, "the keys of the server")
    yield from _check_files(config, path.parent, now)


def _deaf(place: tuple[str, int] | str) -> str:
    """Return why nobody takes connections at an address or a Unix socket, "" if somebody does."""
    try:
        if isinstance(place, str):
            with socket.socket(socket.AF_UNIX) as caller:
                caller.settimeout(FRONT_TIMEOUT)
                caller.connect(place)
        else:
            socket.create_connection(place, FRONT_TIMEOUT).close()
    except OSError as error:
        return error.strerror or "it takes too long"
    return ""


# ---- the files that it names ------------------------------------------------------------------------------


def _check_files(config: ServerConfig, directory: Path, now: float) -> Iterator[Finding]:
    psinets: list[Psinet] = []

    def read_rules(data: bytes, file: str) -> _Odd:
        rules = read_traffic_rules(data, file)
        yield from unknown_names(rules.unknown_fields, TRAFFIC_RULES_FIELDS)
        yield from in_rules(rules, config)

    def read_tactics(data: bytes, file: str) -> _Odd:
        tactics = read_tactics_config(data, file)
        try:
            make_strategy(tactics.discovery_strategy, config.discovery_value_hmac_key)
        except DocumentError as error:
            where = "DefaultTactics.Parameters.ServerDiscoveryStrategy"
            raise DocumentError(f"{file}: {where}: {error}") from error
        # Most of the others are parameters of clients.
        yield from unknown_names(tactics.unknown_fields, TACTICS_FIELDS, all_of_them=False)

    def read_osl(data: bytes, file: str) -> _Odd:
        read_osl_config(data, file)
        yield from unknown_names(fold_deep(read_object(data, file), OslConfig)[1], field_names(OslConfig))

    def read_network(data: bytes, file: str) -> _Odd:
        psinet = read_psinet(data, file, Path(file).stat().st_mtime)
        psinets.append(psinet)
        yield from unknown_names(psinet.unknown_fields, PSINET_FIELDS)
        yield from psinet.oddities()

    documents: list[tuple[str, str, _Reader, str]] = [
        ("TrafficRulesFilename", config.traffic_rules_filename, read_rules, ""),
        ("TacticsConfigFilename", config.tactics_config_filename, read_tactics, "what hides this server"),
        ("OSLConfigFilename", config.osl_config_filename, read_osl, "the keys of obfuscated lists"),
        ("PsinetDatabaseFilename", config.psinet_database_filename, read_network, "entries of other servers"),
        ("BlocklistFilename", config.blocklist_filename, _read_blocklist, ""),
    ]
    for field, name, read, secret in documents:
        if name:
            yield from _check_document(directory / name, field, read, secret)
    for psinet in psinets:
        yield from _check_psinet(psinet, directory / config.psinet_database_filename, now)
    for name in config.geo_ip_database_filenames:
        yield from _tried(directory / name, b"", partial(GeoIP.load, [directory / name]))
    for field, name in (
        ("LogFilename", config.log_filename),
        ("EventLogFilename", config.event_log_filename),
    ):
        if name and not _can_be_written(directory / name):
            yield _error(directory / name, "cannot be written", field)


def _check_document(path: Path, field: str, read: _Reader, secret: str) -> Iterator[Finding]:
    try:
        data = path.read_bytes()
    except OSError as error:
        yield _error(path, f"cannot be read: {error.strerror}", field)
        return
    odd: list[tuple[str, str]] = []
    yield from _tried(path, data, lambda: odd.extend(read(data, str(path))))
    for where, text in odd:
        yield _warning(path, text, where, data)
    if secret:
        yield from _secret(path, secret)


def _check_psinet(psinet: Psinet, path: Path, now: float) -> Iterator[Finding]:
    age = now - psinet.modified
    if age > PSINET_FRESH:
        text = f"was written {age / 3600:.0f} hours ago: have it written anew every day"
        yield _warning(path, text)
    if beyond := sum(server.starts > now + HORIZON for server in psinet.discovery_servers):
        until = datetime.fromtimestamp(now + HORIZON, UTC)
        text = (
            f"{beyond} of them are for after {until:%Y-%m-%d %H:%M} UTC: leave them out until then, "
            "so that who seizes this server does not learn of them"
        )
        yield _warning(path, text, "discovery_servers")


def _read_blocklist(data: bytes, file: str) -> _Odd:
    read_blocklist(io.StringIO(data.decode("utf-8-sig", "replace"), newline=""), file)
    return iter(())


# ---- findings ---------------------------------------------------------------------------------------------


def _error(path: Path, text: str, field: str = "") -> Finding:
    return Finding(file=str(path), field=field, text=text)


def _warning(path: Path, text: str, field: str = "", data: bytes = b"") -> Finding:
    """Return a warning of a field, with its line if `data` is what is in the file."""
    line = find_line(data.decode("utf-8", "replace"), field)
    return Finding(level=Level.WARNING, file=str(path), line=line, field=field, text=text)


def _tried(path: Path, data: bytes, read: Callable[[], object], field: str = "") -> Iterator[Finding]:
    """Tell of the error if `read` raises one, of `field` where it names none itself."""
    try:
        read()
    except DocumentError as error:
        yield found(path, data, f"{field}: {error}" if field else str(error))


def _secret(path: Path, what: str) -> Iterator[Finding]:
    """Tell of a file with secrets that everybody on the machine can read or change."""
    mode = path.stat().st_mode
    if mode & (stat.S_IROTH | stat.S_IWOTH):
        text = f"everybody on this machine can get at {what}: chmod o= {path}"
        yield _warning(path, text)


def _can_be_written(path: Path) -> bool:
    return os.access(path if path.exists() else path.parent, os.W_OK)
