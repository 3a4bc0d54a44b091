"""What the kernel knows about processes and sockets: CPU time, memory, socket buffers. Linux only."""

import os
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

__all__ = [
    "SocketQueues",
    "cpu_seconds",
    "file_descriptors",
    "load_average",
    "process_tree",
    "resident_bytes",
    "tcp_queues",
]

_PROC = Path("/proc")
_TICK = os.sysconf("SC_CLK_TCK")


def process_tree(pid: int) -> list[int]:
    """Return a process and all its descendants; those that are gone by now are left out."""
    found = [pid]
    for parent in found:
        for children in (_PROC / str(parent) / "task").glob("*/children"):
            try:
                found += map(int, children.read_text().split())
            except OSError:
                continue
    return found


def cpu_seconds(pids: Iterable[int]) -> float:
    """Return user and system time spent so far by processes and their descendants, in seconds."""
    total = 0
    for pid in _trees(pids):
        try:
            fields = (_PROC / str(pid) / "stat").read_text().rpartition(")")[2].split()
        except OSError:
            continue
        total += sum(map(int, fields[11:15]))  # own, and that of children waited for
    return total / _TICK


def resident_bytes(pids: Iterable[int]) -> int:
    """Return the proportional set size of processes and their descendants: shared pages are shared out."""
    total = 0
    for pid in _trees(pids):
        try:
            lines = (_PROC / str(pid) / "smaps_rollup").read_text().splitlines()
        except OSError:
            continue
        total += sum(int(line.split()[1]) for line in lines if line.startswith("Pss:"))
    return total * 1024


def file_descriptors(pids: Iterable[int]) -> int:
    """Return how many file descriptors processes and their descendants have open."""
    total = 0
    for pid in _trees(pids):
        try:
            total += len(os.listdir(_PROC / str(pid) / "fd"))
        except OSError:
            continue
    return total


def load_average() -> float:
    """Return the machine's load over the last minute."""
    return os.getloadavg()[0]


@dataclass(frozen=True, slots=True)
class SocketQueues:
    """Bytes in the kernel's buffers of one TCP connection's end."""

    local_port: int
    remote_port: int
    unsent: int
    unread: int


def tcp_queues() -> list[SocketQueues]:
    """Return the established IPv4 connections of this machine and what their buffers hold."""
    found = []
    for line in (_PROC / "net/tcp").read_text().splitlines()[1:]:
        fields = line.split()
        if fields[3] != "01":
            continue
        unsent, unread = (int(text, 16) for text in fields[4].split(":"))
        local, remote = (int(fields[place].partition(":")[2], 16) for place in (1, 2))
        found.append(SocketQueues(local, remote, unsent, unread))
    return found


def _trees(pids: Iterable[int]) -> list[int]:
    return [member for pid in pids for member in process_tree(pid)]
