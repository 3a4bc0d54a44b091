"""A board for Grafana that shows the metrics of servers. `PATH` is its file, to be imported there."""

from importlib.resources import files
from pathlib import Path
from typing import Final

__all__ = ["PATH"]

PATH: Final = Path(str(files(__name__) / "headrace-server.json"))
