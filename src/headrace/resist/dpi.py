"""F2a to F2c: what DPI programs that run today say of a capture: nDPI 4.2, nDPI 5 and Wireshark."""

import importlib.metadata
import json
import re
import shutil
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Final, TypeVar

from headrace.base.errors import OperatorError
from headrace.resist.flows import Sample

__all__ = ["NdpiReader", "NdpiRisks", "Nfstream", "Tshark"]

T = TypeVar("T")

#: Seconds that a program has for a capture.
_TIMEOUT: Final = 600
_FLOW: Final = re.compile(
    r"TCP \S+:(\d+) <-> \S+:(\d+) \[proto: [\d.]+/([^\]]+)\](?:\[[^\]]*\])*?\[Confidence: ([^\]]+)\](.*)"
)
_RISKS: Final = re.compile(r"\[Risk: \*\* (.*?) \*\*\]\[Risk Score")
#: What nDPI finds risky about any download from a port that is not registered for HTTP.
_ORDINARY_RISKS: Final = frozenset(("Known Protocol on Non Standard Port", "Binary Application Transfer"))


class NdpiReader:
    """F2a: nDPI as Debian has it. What it guesses by port is no verdict."""

    id = "F2a"

    def version(self) -> str:
        found = re.search(r"nDPI ([\w.]+)", _run("ndpiReader", "-h", allow=(0, 1, 255)))
        return f"nDPI {found[1]}" if found else "nDPI"

    def classes(self, sample: Sample) -> list[str]:
        return _of_flows(sample, {ports: name for ports, (name, _) in _read(sample).items()}, "not seen")


class NdpiRisks(NdpiReader):
    """F2a, too: what nDPI finds risky. Suspect is what an ordinary download does not have."""

    id = "F2a risks"
    control = "numeric"

    def flags(self, sample: Sample) -> list[bool]:
        """Say of each connection whether it has such a risk, or was not even seen."""
        found = {ports: not risks <= _ORDINARY_RISKS for ports, (_, risks) in _read(sample).items()}
        return _of_flows(sample, found, True)


class Nfstream:
    """F2b: nDPI 5, which nfstream brings along; in a process of its own, since it starts some itself."""

    id = "F2b"

    def version(self) -> str:
        return f"nfstream {importlib.metadata.version('nfstream')}"

    def classes(self, sample: Sample) -> list[str]:
        told = _run(sys.executable, "-P", "-c", _NFSTREAM, sample.pcap.name, place=sample.pcap.parent)
        found = {}
        for source, target, name, sure in json.loads(told.splitlines()[-1]):
            found[frozenset((source, target))] = name if sure else "Unknown"
        return _of_flows(sample, found, "not seen")


class Tshark:
    """F2c: Wireshark's dissectors. What they wait for the rest of is "Unknown".

    Only HTTP can be malformed: others are guessed at by the client's port, which the system chooses.
    """

    id = "F2c"

    def version(self) -> str:
        return f"tshark {_run('tshark', '--version').split()[2]}"

    def classes(self, sample: Sample) -> list[str]:
        told = _run(
            *("tshark", "-n", "-r", sample.pcap.name, "-Y", _SHOWN, "-T", "fields", *_FIELDS),
            place=sample.pcap.parent,
        )
        found: dict[frozenset[int], set[str]] = {}
        for line in told.splitlines():
            source, target, *values = line.split("\t")
            there = {name for name, value in zip(_SEEN, values, strict=True) if value}
            if {"http", "_ws.malformed"} <= there:
                there.add("malformed")
            found.setdefault(frozenset((int(source), int(target))), set()).update(there)
        return [
            "malformed" if "malformed" in seen
            else "SSH" if "ssh" in seen
            else "HTTP" if {"http.request", "http.response"} <= seen
            else "half HTTP" if {"http.request", "http.response"} & seen
            else "Unknown"
            for seen in _of_flows(sample, found, set())
        ]  # fmt: skip


#: What is asked of Wireshark: packets that it understands, and as what, by their ports.
_SHOWN: Final = "http.request or http.response or ssh or (http and _ws.malformed)"
_SEEN: Final = ("http.request", "http.response", "ssh", "http", "_ws.malformed")
_FIELDS: Final = tuple(word for name in ("tcp.srcport", "tcp.dstport", *_SEEN) for word in ("-e", name))
_NFSTREAM: Final = """
import json, sys
from nfstream import NFStreamer
if __name__ == "__main__":
    flows = NFStreamer(source=sys.argv[1], n_dissections=20, statistical_analysis=False, n_meters=1)
    print(json.dumps([
        [flow.src_port, flow.dst_port, flow.application_name,
         flow.application_is_guessed == 0 and flow.application_confidence == 6]
        for flow in flows]))
"""


def _read(sample: Sample) -> dict[frozenset[int], tuple[str, frozenset[str]]]:
    """Return what ndpiReader says by the ports of a connection: its class, and what is risky about it."""
    found = {}
    # To ndpiReader a comma divides names: the place of a file may have some.
    told = _run("ndpiReader", "-d", "-i", sample.pcap.name, "-v", "2", place=sample.pcap.parent)
    for line in told.splitlines():
        if match := _FLOW.search(line):
            source, target, name, confidence, rest = match.groups()
            told_risks = _RISKS.search(rest)
            risks = frozenset(told_risks[1].split(" **** ")) if told_risks else frozenset[str]()
            found[frozenset((int(source), int(target)))] = name if confidence == "DPI" else "Unknown", risks
    return found


def _of_flows(sample: Sample, found: Mapping[frozenset[int], T], absent: T) -> list[T]:
    return [found.get(frozenset((flow.client[1], flow.server[1])), absent) for flow in sample.flows]


def _run(program: str, *arguments: str, place: Path | None = None, allow: tuple[int, ...] = (0,)) -> str:
    """Return what a program says, run in a directory. Raises OperatorError if it is not there, or fails."""
    path = shutil.which(program)
    if path is None:
        raise OperatorError(f"{program} is not installed")
    try:
        done = subprocess.run(  # noqa: S603
            [path, *arguments],
            cwd=place,
            capture_output=True,
            text=True,
            errors="replace",
            timeout=_TIMEOUT,
            check=False,
        )
    except subprocess.TimeoutExpired:
        raise OperatorError(f"{program} took longer than {_TIMEOUT} s") from None
    if done.returncode not in allow:
        raise OperatorError(f"{program} failed ({done.returncode}): {done.stderr.strip()[-300:]}")
    return done.stdout
