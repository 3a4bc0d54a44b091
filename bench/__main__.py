"""Runs the benches: `python -m bench --help`."""

import argparse
import os
import platform
import resource
import sys
import tempfile
import time
from contextlib import ExitStack
from functools import partial
from importlib.metadata import version
from pathlib import Path

from rich.console import Console

from bench.arrivals import measure_arrivals
from bench.bars import BARS
from bench.blocked import RUNS, measure_blocked
from bench.channels import measure_idle_channels
from bench.churn import FOUR_HOURS, measure_churn
from bench.establishments import ESTABLISHMENTS, measure_establishments
from bench.fairness import measure_fairness
from bench.figures import Figure, judge
from bench.forwards import measure_forwards
from bench.generator import Generator
from bench.http import measure_http
from bench.probes import measure_probes
from bench.procfs import load_average
from bench.programs import BenchError
from bench.report import print_tables, write_json
from bench.stacks import ASYNCSSH, GO, GO_OVER_OURS, OPENSSH, OURS, OURS_OVER_GO, Stacks
from bench.stalled import measure_stalled
from bench.start import measure_start
from bench.store import measure_store
from bench.traffic import measure_traffic
from bench.tunnels import measure_handshakes, measure_idle_tunnels

BENCHES = (
    "traffic",
    "http",
    "handshakes",
    "tunnels",
    "channels",
    "stalled",
    "start",
    "store",
    "blocked",
    "establishments",
    "arrivals",
    "fairness",
    "probes",
    "forwards",
    "churn",
)
#: Several benches under one name.
GROUPS = {"crowded": ("tunnels", "arrivals", "fairness", "probes", "forwards", "churn")}
RESULTS = Path(__file__).parent / "results"


def main() -> int:
    """Run what the command line asks for; exit status 1 when a bench could not be run."""
    options = _options()
    console = Console(stderr=True, highlight=False)
    if sys.platform != "linux":
        console.print("The benches read /proc and run on Linux only.")
        return 2
    _raise_file_limit()
    rounds = options.rounds or (1 if options.quick else 5)
    figures: list[Figure] = []
    broken: dict[str, str] = {}
    started = time.time()
    loads = [load_average()]
    with tempfile.TemporaryDirectory(prefix="bench-") as temporary:
        root = Path(temporary)
        stacks = Stacks(root)
        chosen = options.only or BENCHES
        for name in [name for word in chosen for name in GROUPS.get(word, (word,))]:
            try:
                if name == "blocked":
                    runs = options.rounds or (2 if options.quick else RUNS)
                    figures += measure_blocked(root, runs, partial(_say, console))
                else:
                    figures += _run(name, root, stacks, rounds, options.quick, console)
            except (BenchError, OSError) as error:
                broken[name] = str(error)
                console.print(f"[red]{name}: {error}")
            loads.append(load_average())
    verdicts = judge(BARS, figures)
    print_tables(Console(width=None if sys.stdout.isatty() else 180), figures, verdicts)
    conditions = {
        "started": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(started)),
        "seconds": round(time.time() - started),
        "rounds": rounds,
        "cores": os.cpu_count(),
        "kernel": platform.release(),
        "load_averages": loads,
        "versions": {name: version(name) for name in ("headrace", "asyncssh", "uvloop", "cryptography")},
        "broken": broken,
    }
    path = options.json or RESULTS / time.strftime("%Y%m%d-%H%M%S.json", time.gmtime(started))
    write_json(path, figures, verdicts, conditions)
    shown = " ".join(f"{load:.1f}" for load in loads)
    print(f"load average {shown} on {os.cpu_count()} cores; written to {path}")
    return int(bool(broken))


def _run(name: str, root: Path, stacks: Stacks, rounds: int, quick: bool, console: Console) -> list[Figure]:
    say = partial(_say, console)
    few = 1 if quick else min(rounds, 2)  # for figures that hardly vary
    if name == "traffic":
        return _traffic(root, stacks, rounds, console)
    if name == "http":
        return measure_http(Generator(root), stacks, rounds, 500 if quick else 4000, say)
    if name == "handshakes":
        return measure_handshakes(stacks, rounds, 100 if quick else 300, say)
    if name == "tunnels":
        return measure_idle_tunnels(stacks, few, 300 if quick else 2000, 5 if quick else 20, say)
    if name == "channels":
        return measure_idle_channels(stacks, few, 3000 if quick else 9900, say)
    if name == "stalled":
        return measure_stalled(stacks, few, say)
    if name == "store":
        return measure_store(root, few, 10_000 if quick else 100_000, 1_000 if quick else 10_000, say)
    if name == "arrivals":
        return measure_arrivals(stacks, few, 10 if quick else 60, say)
    if name == "fairness":
        return measure_fairness(stacks, few, 300, 5 if quick else 20, say)
    if name == "probes":
        return measure_probes(stacks, few, 500 if quick else 5000, 10 if quick else 30, say)
    if name == "forwards":
        return measure_forwards(stacks, few, 100, 1000 if quick else 10_000, say)
    if name == "churn":
        return measure_churn(stacks, 800 if quick else FOUR_HOURS, say)
    if name == "establishments":
        return measure_establishments(1000 if quick else ESTABLISHMENTS, say)
    return measure_start(stacks, root, rounds, say)


def _traffic(root: Path, stacks: Stacks, rounds: int, console: Console) -> list[Figure]:
    generator = Generator(root)
    if not generator.native:
        console.print("[yellow]no C compiler: the load comes from Python, and fast subjects are understated")
    with ExitStack() as exits:
        running = []
        for name in (OURS, GO, GO_OVER_OURS, OURS_OVER_GO, OPENSSH, ASYNCSSH):
            if why := stacks.missing(name):
                console.print(f"[yellow]without {name}: {why}")
            else:
                running.append(exits.enter_context(stacks.start(name)))
        return measure_traffic(generator, running, rounds, partial(_say, console))


def _say(console: Console, text: str) -> None:
    console.print(f"{text} (load average {load_average():.1f})")


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m bench", description="Measure headrace against its peers."
    )
    parser.add_argument(
        "--quick", action="store_true", help="one round and smaller numbers: to see that it runs"
    )
    parser.add_argument(
        "--rounds",
        type=int,
        metavar="N",
        help="how often everything is repeated (default 5; 20 runs of `blocked`)",
    )
    parser.add_argument(
        "--only",
        nargs="+",
        choices=(*GROUPS, *BENCHES),
        metavar="BENCH",
        help=f"some of: {', '.join((*GROUPS, *BENCHES))}",
    )
    parser.add_argument("--json", type=Path, metavar="FILE", help="where to write the figures")
    return parser.parse_args()


def _raise_file_limit() -> None:
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))


if __name__ == "__main__":
    raise SystemExit(main())
