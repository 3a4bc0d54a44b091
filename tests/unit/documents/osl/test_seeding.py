"""What clients earn, apart from any server; tests/unit/server/test_osl_seeding.py has the rest."""

import ipaddress

from tests.osl_configs import CHANNEL, HOUR, MASTER_KEY, SPEC_IDS, osl_config, scheme, spec

from headrace.documents.osl.seeding import SeedState, applicable
from headrace.documents.osl.sloks import Slok, derive_slok, nanoseconds

NOW = nanoseconds("2024-06-01T12:34:56.789Z")
PERIOD = nanoseconds("2024-06-01T12:00:00Z")
INSIDE = ipaddress.ip_address("8.8.8.8")
OUTSIDE = ipaddress.ip_address("9.9.9.9")


def slok(number: int = 0, period: int = PERIOD) -> Slok:
    return derive_slok(MASTER_KEY, CHANNEL, SPEC_IDS[number], period)


def state(*specs: dict[str, object]) -> SeedState:
    return SeedState(osl_config(scheme(*specs)).schemes, CHANNEL)


def test_which_schemes_apply() -> None:
    config = osl_config(
        scheme(),
        scheme(PropagationChannelIDs=["other"]),
        scheme(Regions=["NL", "CA"]),
        scheme(Regions=["None"]),
        scheme(Epoch="2024-06-01T12:00:00Z"),
    )

    def which(region: str, now: int = NOW) -> list[int]:
        chosen = applicable(config, CHANNEL, region, now)
        return [index for index, each in enumerate(config.schemes) if any(each is one for one in chosen)]

    assert which("CA") == [0, 2, 4]
    assert which("") == which("US") == [0, 4]
    assert which("None") == [0, 3, 4]
    assert which("", PERIOD) == [0]  # an epoch is over once its first moment is
    assert which("", PERIOD + 1) == [0, 4]


def test_systems_count_where_the_network_does_not() -> None:
    both = state(
        spec(0, "8.8.8.0/24", UpstreamASNs=["64500"]), spec(1, UpstreamSubnets=[], UpstreamASNs=["64500"])
    )
    assert len(both.matching(INSIDE)) == 1
    assert len(both.matching(INSIDE, "64500")) == 2
    assert len(both.matching(OUTSIDE, "64500")) == 2
    assert both.matching(OUTSIDE, "64501") == both.matching(OUTSIDE) == []


def test_targets() -> None:
    one = state(
        spec(0, Targets={"BytesRead": 10, "BytesWritten": 20, "PortForwardDurationNanoseconds": 30}),
    )
    matching = one.matching(INSIDE)
    assert one.untouched
    one.add(matching, 10, 19, 30, NOW)
    assert one.pending == [] and not one.untouched
    one.add(matching, 0, 1, 0, NOW)
    assert one.pending == [slok()]
    one.add(matching, 100, 100, 100, NOW)
    assert one.pending == [slok()]
    one.delivered([slok()])
    one.add(matching, 100, 100, 100, NOW)
    assert one.pending == []


def test_periods() -> None:
    one = state(spec(0, down=10))
    matching = one.matching(INSIDE)
    one.add(matching, 9, 0, 0, PERIOD + HOUR - 1)
    one.add(matching, 9, 0, 0, PERIOD + HOUR)
    assert one.pending == []
    one.add(matching, 1, 0, 0, PERIOD + HOUR + 1)
    one.add(matching, 10, 0, 0, PERIOD + 2 * HOUR)
    assert one.pending == [slok(0, PERIOD + HOUR), slok(0, PERIOD + 2 * HOUR)]
    one.delivered([slok(0, PERIOD + 2 * HOUR)])
    assert one.pending == [slok(0, PERIOD + HOUR)]


def test_traffic_counts_for_every_spec_that_names_it() -> None:
    several = state(spec(0, "8.0.0.0/8", down=10), spec(1, "8.8.8.8/32", down=5), spec(2, "9.9.9.9/32"))
    several.add(several.matching(INSIDE), 5, 0, 0, NOW)
    assert several.pending == [slok(1)]
    several.add(several.matching(INSIDE), 5, 0, 0, NOW)
    assert several.pending == [slok(1), slok(0)]
