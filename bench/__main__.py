"""Runs the benches: `python -m bench --help`."""

import argparse
import os
import platform
import resource
import sys
import tempfile
import time
from importlib.metadata import version
from pathlib import Path

from rich.console import Console

from bench.bars import BARS
from bench.catalogue import BENCHES, GROUPS, Run
from bench.figures import Figure, judge
from bench.procfs import load_average
from bench.programs import BenchError
from bench.report import print_tables, write_json
from bench.stacks import Stacks

RESULTS = Path(__file__).parent / "results"


def main() -> int:
    """Run what the command line asks for; exit status 1 when a bench could not be run."""
    options = _options()
    console = Console(stderr=True, highlight=False)
    if sys.platform != "linux":
        console.print("The benches read /proc and run on Linux only.")
        return 2
    _raise_file_limit()
    figures: list[Figure] = []
    broken: dict[str, str] = {}
    started = time.time()
    loads = [load_average()]
    chosen = options.only or BENCHES
    with tempfile.TemporaryDirectory(prefix="bench-") as temporary:
        run = Run(Path(temporary), Stacks(Path(temporary)), options.rounds, options.quick, console)
        for name in [name for word in chosen for name in GROUPS.get(word, (word,))]:
            try:
                figures += BENCHES[name](run)
            except (BenchError, OSError) as error:
                broken[name] = str(error)
                console.print(f"[red]{name}: {error}")
            loads.append(load_average())
    verdicts = judge(BARS, figures)
    print_tables(Console(width=None if sys.stdout.isatty() else 180), figures, verdicts)
    conditions = {
        "started": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(started)),
        "seconds": round(time.time() - started),
        "rounds": run.rounds,
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
    names = [*BENCHES, *GROUPS]
    parser.add_argument(
        "--only", nargs="+", choices=names, metavar="BENCH", help=f"some of: {', '.join(names)}"
    )
    parser.add_argument("--json", type=Path, metavar="FILE", help="where to write the figures")
    return parser.parse_args()


def _raise_file_limit() -> None:
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))


if __name__ == "__main__":
    raise SystemExit(main())
