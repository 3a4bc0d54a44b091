"""docs/metrics.md names the metrics there are, and the board for Grafana shows no others."""

import json
import re
from typing import Any

import pytest
from tests.docs.documents import ROOT
from tests.docs.metrics import PAGE, page, series

from headrace.server import grafana
from headrace.server.stats.metrics import GAUGES
from headrace.server.stats.names import FAMILIES

BOARD: dict[str, Any] = json.loads(grafana.PATH.read_text())
#: The code that counts.
SERVER = "".join(
    path.read_text()
    for path in (ROOT / "src" / "headrace" / "server").rglob("*.py")
    if path.stem not in ("load_events", "names")
)
PANELS: list[dict[str, Any]] = [panel for panel in BOARD["panels"] if panel["type"] != "row"]


def test_the_page_is_up_to_date() -> None:
    assert PAGE.read_text() == page(), "run python -m tests.docs.metrics"


def test_every_family_is_counted_somewhere() -> None:
    names = {name.removesuffix("_ms") for name in FAMILIES}
    assert {name for name in names if not re.search(rf'"{name}[".]', SERVER)} == set()


def test_whatever_is_counted_is_of_a_family() -> None:
    counted = re.findall(r'counts\[f?"(\w+)\.', SERVER)
    assert counted
    assert set(counted) <= set(FAMILIES)


@pytest.mark.parametrize("panel", PANELS, ids=[panel["title"] for panel in PANELS])
def test_a_panel_asks_for_what_there_is(panel: dict[str, Any]) -> None:
    known = set(series())
    assert panel["targets"]
    for target in panel["targets"]:
        asked = set(re.findall(r"\bheadrace_\w+", target["expr"]))
        assert asked and asked <= known
        grouped = {name for by in re.findall(r"by \(([^)]*)\)", target["expr"]) for name in by.split(", ")}
        assert grouped <= {"instance", "le", *_labels(asked)}
    assert panel["datasource"] == {"type": "prometheus", "uid": "${datasource}"}


def _labels(asked: set[str]) -> set[str]:
    labels = {f"headrace_{name}": gauge.label for name, gauge in GAUGES.items()}
    labels |= {f"headrace_{family.metric}_total": family.label for family in FAMILIES.values()}
    return {labels[name] for name in asked if name in labels}


def test_panels_have_an_id_and_a_place_each() -> None:
    panels = BOARD["panels"]
    assert len({panel["id"] for panel in panels}) == len(panels)
    places = [
        (column, row)
        for panel in panels
        for column in range(panel["gridPos"]["x"], panel["gridPos"]["x"] + panel["gridPos"]["w"])
        for row in range(panel["gridPos"]["y"], panel["gridPos"]["y"] + panel["gridPos"]["h"])
    ]
    assert len(set(places)) == len(places)
    assert {column for column, _ in places} == set(range(24))


def test_the_board_asks_for_its_source() -> None:
    (source, instance) = BOARD["templating"]["list"]
    assert (source["name"], source["query"]) == ("datasource", "prometheus")
    assert instance["query"]["query"] == "label_values(headrace_workers, instance)"
