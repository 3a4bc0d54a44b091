"""The page of metrics, as the code has them; run as a module it writes it."""

from collections.abc import Iterator

from tests.docs.documents import ROOT

from headrace.server.stats.metrics import GAUGES, HISTOGRAM, PREFIX
from headrace.server.stats.names import FAMILIES
from headrace.server.stats.snapshot import HANDSHAKE_BOUNDS

__all__ = ["PAGE", "page", "series"]

PAGE = ROOT / "docs" / "metrics.md"

_HEAD = """# Metrics

With `MetricsAddress` a server shows its figures on a page of its own, for Prometheus and whatever reads the
same:

| path | answer |
| --- | --- |
| `/metrics` | the figures, in OpenMetrics' form or Prometheus' older one, as asked for |
| `/healthz` | 200 as long as a worker is there, else 503 |
| `/readyz` | 200 as long as a worker takes new connections, else 503 |

```json
{"MetricsAddress": "127.0.0.1:9464", "MetricsMinimumClients": 10}
```

The address must be a loopback one: a port that answers to everybody tells everybody what the machine is. To
collect the figures from elsewhere, carry them through something that authenticates both ends, an SSH tunnel
or a private network, and look at `127.0.0.1` from its end on the server.

All figures are sums over all clients of all workers. A country or a network (AS) with fewer clients than
`MetricsMinimumClients` has no line of its own: all of those are together in `other`. There are no
addresses, no destinations and no ids, and none can get in: workers tell the page numbers, by protocol,
country and network, and by reasons that are written in the code or, for block lists, by the operator.

What a worker counted stays when the worker is lost, so counters only ever begin anew with the server.

A board for Grafana comes with the package:

```sh
python -c "import headrace.server.grafana as board; print(board.PATH)"
```

"""
_GAUGES = """## What there is now

| metric | label | meaning |
| --- | --- | --- |
"""
_COUNTERS = """
## What there has been since the server began

| metric | label | meaning |
| --- | --- | --- |
"""
_HISTOGRAM = """
## How long it takes

| metric | groups, seconds | meaning |
| --- | --- | --- |
"""


def page() -> str:
    """Return docs/metrics.md."""
    gauges = [_row(PREFIX + name, gauge.label, gauge.meaning) for name, gauge in GAUGES.items()]
    counters = [
        _row(f"{PREFIX}{family.metric}_total", family.label, family.meaning) for family in FAMILIES.values()
    ]
    name, meaning = HISTOGRAM
    groups = ", ".join(f"{bound:g}" for bound in HANDSHAKE_BOUNDS)
    histogram = f"| `{PREFIX}{name}` | {groups} | {meaning} |\n"
    return "".join((_HEAD, _GAUGES, *gauges, _COUNTERS, *counters, _HISTOGRAM, histogram))


def series() -> Iterator[str]:
    """Return the name of each series that can be asked for."""
    yield from (PREFIX + name for name in GAUGES)
    yield from (f"{PREFIX}{family.metric}_total" for family in FAMILIES.values())
    yield from (f"{PREFIX}{HISTOGRAM[0]}_{part}" for part in ("bucket", "count", "sum"))


def _row(name: str, label: str, meaning: str) -> str:
    return f"| `{name}` | {f'`{label}`' if label else ''} | {meaning} |\n"


if __name__ == "__main__":
    PAGE.write_text(page())
