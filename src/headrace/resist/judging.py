"""Detectors and what they are expected to say: of the controls, and of connections that have nothing to hide.

A classifier says what each connection is; a hit is one that is not what it is to pass for. The others say of
each whether it is suspect.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final, Protocol

from headrace.base.errors import OperatorError
from headrace.resist.alphabet import Alphabet
from headrace.resist.dpi import NdpiReader, NdpiRisks, Nfstream, Tshark
from headrace.resist.first_packet import RULES
from headrace.resist.flows import Sample
from headrace.resist.pattern_rules import PATTERN_RULES
from headrace.resist.report import Row
from headrace.resist.walk import Walk

__all__ = ["DETECTORS", "Judge"]


class Classifier(Protocol):
    """Says what each connection is."""

    id: str

    def version(self) -> str: ...

    def classes(self, sample: Sample) -> list[str]: ...


class Flagger(Protocol):
    """Says of each connection whether it is suspect. `control` is the traffic of which all must be."""

    @property
    def id(self) -> str: ...

    @property
    def control(self) -> str: ...

    def version(self) -> str: ...

    def flags(self, sample: Sample) -> list[bool]: ...


CLASSIFIERS: Final[tuple[Classifier, ...]] = (NdpiReader(), Nfstream(), Tshark(), *PATTERN_RULES)
FLAGGERS: Final[tuple[Flagger, ...]] = (*RULES, NdpiRisks(), Walk(), Alphabet())
DETECTORS: Final = (*(each.id for each in FLAGGERS), *(each.id for each in CLASSIFIERS))

#: What controls must be told as, by detector.
_TOLD: Final[Mapping[str, Mapping[str, str]]] = {
    "F2a": {"ssh": "SSH", "http": "HTTP"},
    "F2b": {"ssh": "SSH", "http": "HTTP"},
    "F2c": {"http": "HTTP", "broken": "malformed"},
    "F2d": {"http": "HTTP", "random": "Unknown"},
    "F2e": {"ssh": "SSH", "random": "Unknown"},
    "F2f": {"http": "HTTP", "random": "Unknown"},
    "F2g": {"ssh": "SSH", "random": "Unknown"},
}
#: Client ports that nDPI 4.2 or Wireshark 4.0 know by number (EtherNet/IP, BitTorrent, IRC and the like),
#: of those that Linux gives to clients. They call ordinary downloads to them so, too: no verdict of theirs.
_KNOWN_PORTS: Final = frozenset((34980, 44321, 44322, 44818, 48049, 48898, 51413, 53646, 57000))
#: Detectors that must say HTTP of what is to pass for it, and nothing of all else.
_SAY_HTTP: Final = ("F2a", "F2b", "F2d", "F2f")


@dataclass(slots=True)
class _Tally:
    sample: int = 0
    hits: int = 0
    said: Counter[str] = field(default_factory=Counter)
    unasked: int = 0  #: connections whose client's port says it all


class Judge:
    """Has detectors look at samples, batch after batch, and makes rows of what they found."""

    def __init__(self, wanted: frozenset[str], controls: Mapping[str, Sample], seed: int) -> None:
        self._classifiers = [each for each in CLASSIFIERS if each.id in wanted]
        self._flaggers = [each for each in FLAGGERS if each.id.split()[0] in wanted]
        self._seed = seed
        self._tallies: dict[tuple[str, str], _Tally] = {}
        self._broken: dict[str, str] = {}  # detectors that do not run, and why
        self._controls = {each.id: self._control_of_classifier(each, controls) for each in self._classifiers}
        self._controls |= {each.id: self._control_of_flagger(each, controls) for each in self._flaggers}

    def look(self, subject: str, sample: Sample) -> None:
        """Have all detectors look at some more connections of a subject."""
        for classifier in self._classifiers:
            if classifier.id not in self._broken:
                fine = _fine(classifier.id, sample)
                classes = _classes(classifier, sample)
                unasked = len(sample.flows) - len(classes)
                self._count(classifier.id, subject, [each not in fine for each in classes], classes, unasked)
        for flagger in self._flaggers:
            if flagger.id not in self._broken:
                self._count(flagger.id, subject, flagger.flags(sample))

    def rows(self, subject: str, barred: frozenset[str]) -> list[Row]:
        """Return what was found of a subject. There are bars on the detectors named, variants and all."""
        detectors: list[Classifier | Flagger] = [*self._flaggers, *self._classifiers]
        return [self._row(each, subject, each.id.split()[0] in barred) for each in detectors]

    def _count(
        self, detector: str, subject: str, hits: list[bool], said: Sequence[str] = (), unasked: int = 0
    ) -> None:
        tally = self._tallies.setdefault((detector, subject), _Tally())
        tally.sample += len(hits)
        tally.hits += sum(hits)
        tally.said.update(said)
        tally.unasked += unasked

    def _row(self, detector: Classifier | Flagger, subject: str, barred: bool) -> Row:
        tally = self._tallies.get((detector.id, subject), _Tally())
        control, control_ok = self._controls[detector.id]
        said = [f"{name} {count:,}" for name, count in tally.said.most_common(4)]
        if tally.unasked:
            said.append(f"{tally.unasked:,} not asked, for their port")
        return Row(
            detector=detector.id,
            subject=subject,
            sample=tally.sample,
            hits=tally.hits,
            bar="none" if barred else "",
            met=tally.hits == 0 if barred and control_ok and tally.sample else None,
            control=control,
            control_ok=control_ok,
            version=detector.version() if detector.id not in self._broken else "",
            seed=self._seed,
            note=self._broken.get(detector.id, ", ".join(said)),
        )

    def _control_of_classifier(
        self, classifier: Classifier, controls: Mapping[str, Sample]
    ) -> tuple[str, bool]:
        found, fine = [], True
        try:
            for name, expected in _TOLD[classifier.id].items():
                classes = _classes(classifier, controls[name])
                right = classes.count(expected)
                found.append(f"{name}: {right} of {len(classes)} {expected}")
                fine = fine and 0 < right == len(classes)
        except OperatorError as error:
            self._broken[classifier.id] = str(error)
            return "", False
        return "; ".join(found), fine

    def _control_of_flagger(self, flagger: Flagger, controls: Mapping[str, Sample]) -> tuple[str, bool]:
        try:
            flags = flagger.flags(controls[flagger.control])
        except OperatorError as error:
            self._broken[flagger.id] = str(error)
            return "", False
        return f"{flagger.control}: {sum(flags)} of {len(flags)} flagged", bool(flags) and all(flags)


def _classes(classifier: Classifier, sample: Sample) -> list[str]:
    """Return what a classifier says of the connections, but for those whose client's port it goes by."""
    told = zip(sample.flows, classifier.classes(sample), strict=True)
    return [name for flow, name in told if flow.client[1] not in _KNOWN_PORTS]


def _fine(detector: str, sample: Sample) -> frozenset[str]:
    """Return what a classifier may say of a sample."""
    if detector in _SAY_HTTP:
        return frozenset(("HTTP",) if sample.http else ("Unknown",))
    if detector == "F2c" and sample.http:
        return frozenset(("HTTP",) if sample.framed else ("Unknown", "HTTP", "half HTTP"))
    return frozenset(("Unknown",))
