"""The journal of an establishment."""

import json

import pytest

from headrace.base.errors import DocumentError
from headrace.documents.server_entry import ServerEntry
from headrace.establishment import journal as module
from headrace.establishment.dial_parameters import DialParameters
from headrace.establishment.journal import Journal, Outcome, Record, Trial
from headrace.establishment.stages import Stage
from headrace.obfuscation.prefix import ClientPrefix

WALL = 1_700_000_000.0


def attempt(number: int, **choices: object) -> DialParameters:
    entry = ServerEntry(ip_address="192.0.2.7", region="NL", web_server_secret="secret")
    values: dict[str, object] = {
        "entry": entry,
        "protocol": "OSSH",
        "host": "192.0.2.7",
        "port": 443,
        "host_key": b"key",
        "identification": "SSH-2.0-OpenSSH_9.6",
        "candidate_number": number,
    }
    return DialParameters(**{"padding": 32, "seed": bytes(32), **values, **choices})  # type: ignore[arg-type]


def begun() -> Journal:
    journal = Journal()
    journal.begin(100.0, WALL)
    return journal


def record(journal: Journal, now: float = 110.0) -> Record:
    result = journal.record(now)
    assert result is not None
    return result


def test_nothing_is_known_before_the_first_establishment() -> None:
    assert Journal().record(5.0) is None


def test_what_became_of_each_attempt() -> None:
    journal = begun()
    first = attempt(1, prefix=ClientPrefix("http", b"GET / "), head_start=True)
    journal.started(first, 100.5)
    journal.started(attempt(2), 101.0)
    journal.ended(first, 102.25, Stage.CONNECTED, Outcome.FAILED, "nothing came in time")
    journal.ended(attempt(2), 103.0, Stage.ACTIVE, Outcome.KEPT)
    journal.finished(103.5, connected=True)
    known = record(journal, 900.0)
    assert (known.begun, known.seconds, known.finished, known.connected) == (WALL, 3.5, True, True)
    assert known.trials == [
        Trial(
            number=1,
            server=first.diagnostic_id,
            region="NL",
            protocol="OSSH",
            prefix="http",
            head_start=True,
            began=0.5,
            took=1.75,
            reached="connected",
            outcome=Outcome.FAILED,
            reason="nothing came in time",
        ),
        Trial(
            number=2,
            server=first.diagnostic_id,
            region="NL",
            protocol="OSSH",
            began=1.0,
            took=2.0,
            reached="active",
            outcome=Outcome.KEPT,
        ),
    ]
    assert known.trials[0].stage is Stage.CONNECTED
    assert known.earlier == {}


def test_what_is_under_way_is_told_with_how_far_it_has_come() -> None:
    journal = begun()
    stage = Stage.DIALLING
    journal.started(attempt(1), 101.0, lambda: stage)
    stage = Stage.KEYED
    known = record(journal, 104.0)
    assert not known.finished
    assert known.seconds == 4.0
    [trial] = known.trials
    assert (trial.outcome, trial.stage, trial.took) == (None, Stage.KEYED, 3.0)


def test_a_skipped_attempt_was_never_begun() -> None:
    journal = begun()
    journal.ended(attempt(3), 101.0, Stage.DIALLING, Outcome.SKIPPED, "no port that may be dialled")
    [trial] = record(journal).trials
    assert (trial.began, trial.took, trial.outcome) == (1.0, 0.0, Outcome.SKIPPED)


def test_the_last_establishment_only() -> None:
    journal = begun()
    journal.started(attempt(1), 100.0)
    journal.ended(attempt(2), 100.0, Stage.DIALLING, Outcome.FAILED, "refused")
    journal.finished(101.0, connected=False, reason="no more patience")
    assert record(journal).reason == "no more patience"
    journal.begin(200.0, WALL + 100)
    known = record(journal, 200.0)
    assert known == Record(begun=WALL + 100, seconds=0.0)


def test_of_old_attempts_it_is_counted_how_they_ended(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MAX_TRIALS", 3)
    journal = begun()
    for number in range(1, 8):
        outcome = Outcome.CANCELLED if number == 2 else Outcome.FAILED
        journal.started(attempt(number), 100.0 + number)
        journal.ended(attempt(number), 100.0 + number, Stage.DIALLING, outcome)
    known = record(journal)
    assert [trial.number for trial in known.trials] == [5, 6, 7]
    assert known.earlier == {Outcome.FAILED: 3, Outcome.CANCELLED: 1}
    journal.begin(200.0, WALL)
    assert record(journal).earlier == {}


def test_no_address_gets_in() -> None:
    journal = begun()
    journal.started(attempt(1), 100.0)
    journal.ended(
        attempt(1), 101.0, Stage.DIALLING, Outcome.FAILED, "192.0.2.7:443 refused\n[2001:db8::1]:22"
    )
    journal.finished(101.0, connected=False, reason="192.0.2.7 does not answer")
    text = record(journal).to_json().decode()
    assert "192.0.2.7" not in text
    assert "2001" not in text
    assert "[redacted] refused [redacted]" in text


def test_a_reason_is_one_line_of_bounded_length() -> None:
    journal = begun()
    journal.ended(attempt(1), 101.0, Stage.DIALLING, Outcome.FAILED, "a\nb\t" + "x" * 10_000)
    [trial] = record(journal).trials
    assert trial.reason.startswith("a b xxx")
    assert len(trial.reason) == 300


def test_every_note_is_a_new_revision() -> None:
    journal = Journal()
    seen = {journal.revision}
    journal.begin(0.0, 0.0)
    seen.add(journal.revision)
    journal.started(attempt(1), 0.0)
    seen.add(journal.revision)
    journal.ended(attempt(1), 0.0, Stage.DIALLING, Outcome.FAILED)
    seen.add(journal.revision)
    journal.finished(0.0, connected=False)
    seen.add(journal.revision)
    assert len(seen) == 5


def test_a_clock_that_stood_still_gives_no_negative_times() -> None:
    journal = begun()
    journal.started(attempt(1), 99.0)
    journal.ended(attempt(1), 98.0, Stage.DIALLING, Outcome.FAILED)
    [trial] = record(journal, 90.0).trials
    assert trial.began == trial.took == 0.0
    assert record(journal, 90.0).seconds == 0.0


def test_there_and_back() -> None:
    journal = begun()
    journal.started(attempt(1), 100.5)
    for outcome in Outcome:
        journal.ended(attempt(2), 101.0, Stage.LOGGED_IN, outcome, "why")
    known = record(journal)
    assert Record.from_json(known.to_json()) == known


def test_the_form_that_is_kept() -> None:
    journal = begun()
    journal.ended(attempt(1), 101.0, Stage.LOGGED_IN, Outcome.FAILED, "why")
    fields = json.loads(record(journal).to_json())
    assert sorted(fields) == [
        "begun",
        "connected",
        "earlier",
        "finished",
        "reason",
        "seconds",
        "trials",
        "version",
    ]
    assert fields["trials"][0]["reached"] == "logged_in"
    assert fields["trials"][0]["outcome"] == "failed"
    assert fields["trials"][0]["isReplay"] is False


GOOD_TRIAL = {
    "number": 1,
    "server": "a",
    "region": "",
    "protocol": "SSH",
    "began": 0,
    "took": 0,
    "reached": "keyed",
}


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"{",
        b"\xff\xfe",
        b"[]",
        b"{}",
        b"[" * 100_000,
        json.dumps({"begun": 0, "seconds": 0, "version": 2}).encode(),
        json.dumps({"begun": "x", "seconds": 0}).encode(),
        json.dumps({"begun": 1e300, "seconds": 0}).encode(),
        json.dumps({"begun": 0, "seconds": -1}).encode(),
        json.dumps({"begun": 0, "seconds": 0, "trials": [{**GOOD_TRIAL, "reached": "nowhere"}]}).encode(),
        json.dumps({"begun": 0, "seconds": 0, "trials": [{**GOOD_TRIAL, "outcome": "won"}]}).encode(),
        json.dumps({"begun": 0, "seconds": 0, "earlier": {"won": 1}}).encode(),
        b" " * ((4 << 20) + 1),
    ],
)
def test_what_is_no_journal(data: bytes) -> None:
    with pytest.raises(DocumentError, match="the journal"):
        Record.from_json(data)


def test_what_a_later_version_adds_is_no_harm() -> None:
    fields = {"begun": 0, "seconds": 1, "trials": [{**GOOD_TRIAL, "colour": "red"}], "new": [1]}
    assert Record.from_json(json.dumps(fields).encode()).trials[0].stage is Stage.KEYED
