"""What we promise; a row of docs and a row here must say the same."""

from bench.blocked import FROM_SESSION, FROM_START
from bench.churn import FOUR_HOURS
from bench.figures import Bar
from bench.http import IDLE_MEMORY, PAGES
from bench.padding import BULK_RATE, BYTES, FIRST_BYTE, SHAPED, UNSHAPED
from bench.stacks import ASYNCSSH, GO, GO_CLIENT, GO_OVER_OURS, OPENSSH, OURS, OURS_OVER_GO
from bench.store import PLAIN

__all__ = ["BARS"]

_MANY = ("forwards, 20 at once", "forwards, 100 at once")
_MIXED = ("bulk down", "bulk up", *_MANY)
#: A channel's largest window, and a megabyte for everything else.
_WINDOW = 2.097152

BARS = (
    Bar("bulk down", OURS, at_least=3.0, against=GO),
    Bar("bulk down", OURS, at_least=1.0, against=OPENSSH),
    Bar("bulk up", OURS, at_least=2.0, against=GO),
    *(Bar(measure, OURS, at_least=1.3, against=GO) for measure in _MANY),
    *(Bar(measure, OURS, at_least=2.0, against=ASYNCSSH) for measure in _MANY),
    *(
        Bar(measure, name, at_least=1.0, against=GO)
        for measure in _MIXED
        for name in (GO_OVER_OURS, OURS_OVER_GO)
    ),
    *(Bar(measure, OURS, at_least=1.3, against=GO_OVER_OURS) for measure in PAGES),
    Bar(IDLE_MEMORY, OURS, at_most=5),
    Bar("process start to first byte", OURS, at_most=350),
    Bar("started loop to first byte", OURS, at_most=60),
    Bar("import headrace", OURS, at_most=60),
    Bar("memory of an idle tunnel at the server", "headrace OSSH", at_most=40),
    Bar("memory of an idle channel at the client", OURS, at_most=2),
    Bar("memory of an idle channel at the server", OURS, at_most=2),
    Bar("1 stalled: growth of the client", OURS, at_most=_WINDOW + 1),
    Bar("1 stalled: growth of the server", OURS, at_most=_WINDOW + 1),
    Bar("20 stalled: growth of the client", OURS, at_most=20 * _WINDOW + 1),
    Bar("20 stalled: growth of the server", OURS, at_most=20 * _WINDOW + 1),
    Bar("CPU of 2,000 idle tunnels", "headrace OSSH", at_most=3),
    Bar("80 new tunnels a second: failed", OURS, at_most=0),
    Bar("300 busy tunnels: Jain index", OURS, at_least=0.95),
    Bar("300 busy tunnels, one greedy: largest share", OURS, at_most=4),
    Bar("300 busy tunnels, one greedy: least share", OURS, at_least=0.5),
    Bar("5,000 probes: clients that failed", OURS, at_most=0),
    Bar("5,000 probes: a client's time to a tunnel, p99", OURS, at_most=2000),
    *(
        Bar(f"{BULK_RATE} {way}", SHAPED, at_least=0.97, against=UNSHAPED, of_medians=True)
        for way in ("down", "up")
    ),
    Bar(BYTES, SHAPED, at_most=1.05, against=UNSHAPED),
    Bar(FIRST_BYTE, SHAPED, at_most=30),
    Bar("network of 5,000: plan", OURS, at_most=5),
    Bar("network of 5,000: full publication", OURS, at_most=60),
    Bar("network of 5,000: memory of that", OURS, at_most=300),
    Bar("revoked from 500: plan", OURS, at_most=10),
    Bar("10,000 port forwards: refused", OURS, at_most=0),
    Bar("10,000 port forwards: without an echo", OURS, at_most=0),
    *(
        Bar(f"{FOUR_HOURS:,} clients come and go: {what}", OURS, at_most=most)
        for what, most in (
            ("failed", 0),
            ("memory grew by", 4),
            ("file descriptors grew by", 0),
            ("tasks grew by", 0),
            ("objects grew by", 1000),  # sqlite3 forgets cursors 200 at a time
        )
    ),
    *(
        Bar(f"first of 100,000 entries{what}", OURS, at_most=50)
        for what in ("", ", region with many", ", region with few", ", after a kill")
    ),
    Bar("import of 10,000 entries", OURS, at_most=3),
    Bar("import of 10,000 entries", OURS, at_most=4, against=PLAIN),
    Bar("import of 10,000 entries: longest slice, CPU time", OURS, at_most=10),
    Bar("import of 10,000 entries: memory", OURS, at_most=60),
    *(
        Bar(measure, OURS, at_most=1.0, against=GO_CLIENT, of_medians=True)
        for measure in (FROM_START, FROM_SESSION)
    ),
)
