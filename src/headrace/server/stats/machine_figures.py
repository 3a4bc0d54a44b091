"""What the machine as a whole does: processor time and network bytes, from one look to the next.

Linux tells; elsewhere there is nothing to say.
"""

from pathlib import Path
from typing import Final

__all__ = ["MachineFigures"]

_PROC: Final = Path("/proc")
_IDLE: Final = (3, 4)  # idle, and waiting for input or output, in a processor's line


class MachineFigures:
    """`since_last` says what happened since it was asked before, or since the beginning."""

    def __init__(self, proc: Path = _PROC) -> None:
        self._proc = proc
        self._network = self._network_bytes()
        self._ticks = self._processor_ticks()

    def since_last(self) -> dict[str, object]:
        """Return fields of `server_load`; what cannot be told is left out."""
        fields: dict[str, object] = {}
        network, ticks = self._network_bytes(), self._processor_ticks()
        if network and self._network:
            received, sent = (now - before for now, before in zip(network, self._network, strict=True))
            if received >= 0 and sent >= 0:  # else an interface has gone, or begun anew
                fields |= {"network_bytes_received": received, "network_bytes_sent": sent}
        if ticks and self._ticks:
            busy, total = (now - before for now, before in zip(ticks, self._ticks, strict=True))
            fields["cpu_percent"] = round(100 * busy / total, 2) if total > 0 else 0.0
        self._network, self._ticks = network, ticks
        return fields

    def _network_bytes(self) -> tuple[int, int] | None:
        """Return bytes received and sent by all interfaces but the loopback one."""
        received = sent = 0
        for line in self._lines("net/dev")[2:]:
            name, _, numbers = line.partition(":")
            columns = numbers.split()
            if name.strip() != "lo" and len(columns) >= 9:
                received += int(columns[0])
                sent += int(columns[8])
        return (received, sent) if received or sent else None

    def _processor_ticks(self) -> tuple[int, int] | None:
        """Return ticks of all processors that were busy, and all there were."""
        columns = next((line.split()[1:9] for line in self._lines("stat") if line.startswith("cpu ")), [])
        ticks = [int(column) for column in columns]
        if len(ticks) <= max(_IDLE):
            return None
        return sum(ticks) - sum(ticks[place] for place in _IDLE), sum(ticks)

    def _lines(self, name: str) -> list[str]:
        try:
            return (self._proc / name).read_text(encoding="ascii").splitlines()
        except OSError:
            return []
