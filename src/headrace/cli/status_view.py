"""How a running client is, in words for a terminal."""

from datetime import timedelta
from urllib.parse import quote

from rich.table import Table
from rich.text import Text

from headrace.cli.words import printable
from headrace.client.status import State, Status

__all__ = ["advice", "headline", "progress_line", "size", "table", "time_span"]

#: What servers say of a region that they cannot tell.
_UNKNOWN = "None"


def headline(status: Status) -> str:
    """Return what matters most, in a line."""
    match status.state:
        case State.CONNECTED:
            where = f" to a server in {status.server_region}" if status.server_region else ""
            how = f" over {status.protocol}" if status.protocol else ""
            more = f", {status.tunnels} tunnels" if status.tunnels > 1 else ""
            return printable(f"connected{where}{how} for {time_span(status.seconds)}{more}")
        case State.CONNECTING | State.RECONNECTING:
            return f"{status.state.value} for {time_span(status.seconds)}, {_tried(status)}"
        case State.STOPPING:
            return "disconnecting"
        case State.ENDED:
            return "disconnected"


def progress_line(status: Status) -> str:
    """Return how far a client has come that has no tunnel yet."""
    regions = sorted(status.attempt_regions.items(), key=lambda item: (-item[1], item[0]))
    named = [region for region, _ in regions if region][:5]
    where = f" in {', '.join(named)}" if named else ""
    return printable(f"{status.state.value}: {_tried(status)}{where}")


def table(status: Status) -> Table:
    """Return the rest, side by side with what it is."""
    rows: list[tuple[str, str]] = [
        ("SOCKS proxy", _proxy(status, "socks")),
        ("HTTP proxy", _proxy(status, "http")),
        ("your region", status.client_region if status.client_region != _UNKNOWN else ""),
        ("regions to choose from", ", ".join(status.egress_regions)),
        ("sent", size(status.sent) if status.sent else ""),
        ("received", size(status.received) if status.received else ""),
        ("upgrade", f"version {status.upgrade} is there" if status.upgrade else ""),
        *(("home page", url) for url in status.homepages),
        ("problem", status.problem),
        ("process", str(status.process) if status.process else ""),
    ]
    result = Table(box=None, show_header=False, pad_edge=False)
    result.add_column(style="bold", no_wrap=True)
    result.add_column(overflow="fold")
    for name, value in rows:
        if value:
            result.add_row(name, Text(printable(value)))
    return result


def advice(status: Status, name_option: str) -> list[str]:
    """Return what to do with a client that is connected; `name_option` names it to other commands."""
    lines = []
    if "socks" in status.ports:
        lines.append(f"curl --proxy socks5h://{_proxy(status, 'socks')} https://example.com/")
    elif "http" in status.ports:
        lines.append(f"curl --proxy http://{_proxy(status, 'http')} https://example.com/")
    elif (path := status.paths.get("socks", "")).startswith("/"):
        lines.append(f"curl --proxy socks5h://localhost{quote(path)} https://example.com/")
    return [*lines, f"headrace status{name_option}", f"headrace disconnect{name_option}"]


def time_span(seconds: float) -> str:
    """Return seconds as people say them."""
    if seconds < 1:
        return f"{seconds * 1000:.0f} ms"
    if seconds < 60:
        return f"{seconds:.1f} s" if seconds < 10 else f"{seconds:.0f} s"
    whole = timedelta(seconds=int(seconds))
    hours, rest = divmod(whole.seconds, 3600)
    minutes, left = divmod(rest, 60)
    if whole.days:
        return f"{whole.days} d {hours} h"
    return f"{hours} h {minutes} min" if hours else f"{minutes} min {left} s"


def size(count: float) -> str:
    """Return bytes in a unit of a fitting size."""
    for unit in ("B", "kB", "MB", "GB"):
        if count < 1000:
            return f"{count:.0f} B" if unit == "B" else f"{count:.1f} {unit}"
        count /= 1000
    return f"{count:.1f} TB"


def _tried(status: Status) -> str:
    return f"{status.attempts:,} {'attempt' if status.attempts == 1 else 'attempts'}"


def _proxy(status: Status, name: str) -> str:
    host = f"[{status.address}]" if ":" in status.address else status.address
    return f"{host}:{status.ports[name]}" if name in status.ports else status.paths.get(name, "")
