"""A journal in words."""

import io
from typing import Any

import pytest
from rich.console import Console

from headrace.cli.explanation import conclusion, headline, hints, lines, table, table_width
from headrace.codec.negotiation import CLOSED, WRONG_LOGIN
from headrace.establishment.journal import Outcome, Record, Trial
from headrace.establishment.stages import Stage


def trial(number: int = 1, **fields: Any) -> Trial:
    known: dict[str, Any] = {
        "server": "AbCdEfGh",
        "region": "NL",
        "protocol": "OSSH",
        "began": 0.25,
        "took": 2.0,
        "reached": "dialling",
        "outcome": Outcome.FAILED,
    }
    return Trial(number=number, **{**known, **fields})


def rendered(*trials: Trial) -> list[str]:
    stream = io.StringIO()
    Console(file=stream, width=160).print(table(trials))
    return [" ".join(line.split()) for line in stream.getvalue().splitlines()]


def record(*trials: Trial, **fields: Any) -> Record:
    return Record(begun=0.0, seconds=12.0, trials=list(trials), **fields)


@pytest.mark.parametrize(
    ("known", "text"),
    [
        (record(), "under way for 12 s, 0 attempts"),
        (record(trial(), finished=True, connected=True), "connected after 12 s and 1 attempt"),
        (
            record(trial(), finished=True, reason="no more\x07 patience", earlier={Outcome.FAILED: 1999}),
            "no tunnel after 12 s and 2,000 attempts: no more� patience",
        ),
        (record(finished=True), "no tunnel after 12 s and 0 attempts"),
    ],
)
def test_headlines(known: Record, text: str) -> None:
    assert headline(known).endswith(text)
    assert headline(known).startswith("begun 19")


def test_a_row_for_each_attempt() -> None:
    assert rendered(
        trial(1, reason="the connection was refused"),
        trial(2, reached="connected", prefix="http", is_replay=True, head_start=True),
        trial(3, reached="keyed", outcome=None),
        trial(4, reached="active", outcome=Outcome.KEPT, protocol="SSH", reason="the fastest"),
        trial(5, outcome=Outcome.SKIPPED, reason="its port may not be dialled\x1b"),
    ) == [
        "no. server region over began took got to how it ended",
        "1 AbCdEfGh NL OSSH 250 ms 2.0 s no connection the connection was refused",
        "2 AbCdEfGh NL OSSH, prefix http, as before, head start 250 ms 2.0 s connected, heard nothing failed",
        "3 AbCdEfGh NL OSSH 250 ms 2.0 s agreed on keys under way",
        "4 AbCdEfGh NL SSH 250 ms 2.0 s ready for use in use: the fastest",
        "5 AbCdEfGh NL OSSH 250 ms not tried: its port may not be dialled�",
    ]


def test_a_column_of_nothing_is_left_out() -> None:
    assert "region" not in rendered(trial(region=""))[0]


@pytest.mark.parametrize(
    "reason", ["", "refused", "a reason of more words than there is room for in a narrow terminal"]
)
def test_a_table_that_is_as_wide_as_it_needs_to_be_loses_nothing(reason: str) -> None:
    trials = [trial(1, reason=reason), trial(20, prefix="http", is_replay=True)]
    stream = io.StringIO()
    Console(file=stream, width=table_width(trials)).print(table(trials))
    words = stream.getvalue().split()
    assert {*reason.split(), "how", "it", "ended"} <= set(words)
    assert "AbCdEfGh  NL      OSSH, prefix http, as before" in stream.getvalue()


def test_the_same_in_lines() -> None:
    assert lines([trial(3, reached="keyed", reason="cut\x1b"), trial(4, region="", outcome=None)]) == [
        "3. AbCdEfGh, NL, OSSH, agreed on keys: cut\ufffd",
        "4. AbCdEfGh, OSSH, no connection: under way",
    ]


def test_totals_are_over_all_attempts() -> None:
    known = record(
        trial(1),
        trial(2, outcome=Outcome.CANCELLED),
        trial(3, outcome=None),
        earlier={Outcome.FAILED: 1500, Outcome.DISCARDED: 1},
    )
    assert [line.strip() for line in conclusion(known)] == [
        "1 not needed: another was faster",
        "1,501 failed",
        "1 given up: it was not needed any more",
        "1 under way",
    ]
    assert conclusion(record()) == []


@pytest.mark.parametrize("stage", list(Stage))
def test_every_stage_hints_at_something(stage: Stage) -> None:
    [hint] = hints(record(trial(reached=stage.name.lower())))
    assert hint.startswith("     1 ")
    assert len(hint) > 40


def test_the_most_frequent_failure_comes_first() -> None:
    trials = [trial(1), trial(2, reached="connected"), trial(3, reached="connected")]
    first, second = hints(record(*trials, trial(4, outcome=Outcome.CANCELLED)))
    assert first.startswith("     2 a connection was made")
    assert second.startswith("     1 no connection")


def test_what_the_upstream_proxy_says_is_no_hint_at_servers() -> None:
    failed = [trial(number, reason=WRONG_LOGIN.reason) for number in range(3)]
    assert hints(record(*failed)) == [f"     3 {WRONG_LOGIN.reason}"]
    several = hints(record(*failed, trial(4), trial(5, reason=f"{CLOSED.reason}\x1b")))
    assert several[1] == f"     1 {CLOSED.reason}\ufffd"
    assert several[2].startswith("     1 no connection was made")


def test_where_nobody_was_tried_it_is_said_why_that_may_be() -> None:
    assert "EgressRegion" in " ".join(hints(record(finished=True)))
    assert hints(record(connected=True)) == []
    assert hints(record(earlier={Outcome.FAILED: 1})) == []


def test_not_one_connection_may_be_the_machines_own_trouble() -> None:
    failed = [trial(number) for number in range(3)]
    assert "online" in hints(record(*failed))[-1]
    assert len(hints(record(*failed[:2]))) == 1
    assert len(hints(record(*failed, connected=True))) == 1
    assert all("online" not in hint for hint in hints(record(*failed, trial(9, reached="heard"))))
