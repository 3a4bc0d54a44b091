"""F2a to F2c: what DPI programs that run today say of a capture: nDPI 4.2, nDPI 5 and Wireshark."""

import importlib.metadata
import json
import re
import shutil
import subprocess
import sys
from collections import Counter
from typing import Final

from headrace.base.errors import OperatorError
from headrace.resist.flows import Sample

__all__ = ["NdpiReader", "Nfstream", "Tshark"]

_TIMEOUT: Final = 600
_FLOW: Final = re.compile(
    r"TCP \S+:(\d+) <-> \S+:(\d+) \[proto: [\d.]+/([^\]]+)\](?:\[[^\]]*\])*?\[Confidence: ([^\]]+)\](.*)"
)
_RISK: Final = re.compile(r"\[Risk: \*\* (.*?) \*\*\]\[Risk Score")


class NdpiReader:
    """F2a: nDPI as Debian has it. What it guesses by port is no verdict."""

    id = "F2a"
    knows = ("HTTP", "SSH")

    def __init__(self) -> None:
        self.risks: Counter[str] = Counter()  #: of the connections judged last

    def version(self) -> str:
        found = re.search(r"nDPI ([\w.]+)", _run("ndpiReader", "-h", allow=(0, 1, 255)))
        return f"nDPI {found[1]}" if found else "nDPI"

    def classes(self, sample: Sample) -> list[str]:
        self.risks = Counter()
        found = {}
        for line in _run("ndpiReader", "-d", "-i", str(sample.pcap), "-v", "2").splitlines():
            if match := _FLOW.search(line):
                source, target, name, confidence, rest = match.groups()
                found[frozenset((int(source), int(target)))] = name if confidence == "DPI" else "Unknown"
                if risks := _RISK.search(rest):
                    self.risks.update(risks[1].split(" ** "))
        return _of_flows(sample, found)


class Nfstream:
    """F2b: nDPI 5, which nfstream brings along; in a process of its own, since it starts some itself."""

    id = "F2b"
    knows = ("HTTP", "SSH")

    def version(self) -> str:
        return f"nfstream {importlib.metadata.version('nfstream')}"

    def classes(self, sample: Sample) -> list[str]:
        told = _run(sys.executable, "-c", _NFSTREAM, str(sample.pcap))
        found = {}
        for source, target, name, sure in json.loads(told.splitlines()[-1]):
            found[frozenset((source, target))] = name if sure else "Unknown"
        return _of_flows(sample, found)


class Tshark:
    """F2c: Wireshark's dissectors. What they wait for the rest of is "Unknown".

    Only HTTP can be malformed: others are guessed at by the client's port, which the system chooses.
    """

    id = "F2c"
    knows = ("HTTP", "SSH")

    def version(self) -> str:
        return f"tshark {_run('tshark', '--version').split()[2]}"

    def classes(self, sample: Sample) -> list[str]:
        shown = ("http.request", "http.response", "ssh", "http and _ws.malformed")
        streams = [self._streams(sample, each) for each in shown]
        request, response, ssh, malformed = streams
        return [
            "malformed" if number in malformed
            else "SSH" if number in ssh
            else "HTTP" if number in request and number in response
            else "half HTTP" if number in request or number in response
            else "Unknown"
            for number in range(len(sample.flows))
        ]  # fmt: skip

    def _streams(self, sample: Sample, shown: str) -> set[int]:
        told = _run("tshark", "-n", "-r", str(sample.pcap), "-Y", shown, "-T", "fields", "-e", "tcp.stream")
        return {int(number) for line in told.splitlines() for number in line.split(",") if number.isdigit()}


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


def _of_flows(sample: Sample, found: dict[frozenset[int], str]) -> list[str]:
    return [found.get(frozenset((flow.client[1], flow.server[1])), "not seen") for flow in sample.flows]


def _run(program: str, *arguments: str, allow: tuple[int, ...] = (0,)) -> str:
    """Return what a program says. Raises OperatorError if it is not there, or fails."""
    path = shutil.which(program)
    if path is None:
        raise OperatorError(f"{program} is not installed")
    done = subprocess.run(  # noqa: S603
        [path, *arguments], capture_output=True, text=True, errors="replace", timeout=_TIMEOUT, check=False
    )
    if done.returncode not in allow:
        raise OperatorError(f"{program} failed ({done.returncode}): {done.stderr.strip()[-300:]}")
    return done.stdout
