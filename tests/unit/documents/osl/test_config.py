"""The configuration of obfuscated lists: what is taken from it, and how its author learns of mistakes."""

import ipaddress
from typing import Any

import pytest
from tests.osl_configs import HOUR, MASTER_KEY, SPEC_IDS, config_bytes, osl_config, scheme, spec

from headrace.base.errors import DocumentError
from headrace.documents.osl.config import KeySplit, OslConfig, Targets, read_osl_config
from headrace.documents.osl.sloks import nanoseconds

DAY = 24 * HOUR


def test_everything_in_it() -> None:
    targets = {"BytesRead": 1, "BytesWritten": 2, "PortForwardDurationNanoseconds": 3}
    specs = [spec(0, "8.8.8.0/24", Targets=targets), spec(1, UpstreamASNs=["64500", "64501"])]
    splits = [{"Total": 3, "Threshold": 2}, {"Total": 7, "Threshold": 5}]
    config = osl_config(scheme(*specs, SeedSpecThreshold=2, SeedPeriodKeySplits=splits, Regions=["NL"]))
    (read,) = config.schemes
    assert read.master_key == MASTER_KEY
    assert read.regions == ["NL"]
    assert read.start == nanoseconds("2024-01-01T00:00:00Z")
    assert read.duration == 21 * HOUR
    assert read.seed_period_key_splits == [KeySplit(total=3, threshold=2), KeySplit(total=7, threshold=5)]
    assert [each.id for each in read.seed_specs] == SPEC_IDS[:2]
    assert read.seed_specs[0].targets == Targets(
        bytes_read=1, bytes_written=2, port_forward_duration_nanoseconds=3
    )
    assert ipaddress.ip_address("8.8.8.8") in read.seed_specs[0].networks
    assert read.seed_specs[1].asns == {"64500", "64501"}


def test_an_empty_one() -> None:
    assert read_osl_config(b"{}") == read_osl_config(b'{"Schemes": null}') == OslConfig()


def test_names_in_any_case_and_unknown_ones() -> None:
    text = (
        config_bytes(scheme())
        .replace(b'"MasterKey"', b'"masterkey"')
        .replace(b'"Schemes"', b'"x":1,"SCHEMES"')
    )
    assert read_osl_config(text) == osl_config(scheme())


@pytest.mark.parametrize("days", [7, 14, 30, 98])
def test_long_periods(days: int) -> None:
    """Nanoseconds of a month have more digits than JSON's readers keep apart from doubles."""
    week = "2024-01-01T00:00:00Z"
    (read,) = osl_config(scheme(SeedPeriodNanoseconds=days * DAY, Epoch=epoch_for(days) or week)).schemes
    assert read.seed_period_nanoseconds == days * DAY


def epoch_for(days: int) -> str:
    """Return a day in 2024 whose number since the year 1 is a multiple of `days`."""
    first = 738_885  # days from 0001-01-01 to 2024-01-01
    day = -first % days
    month, day = next((m, day - o) for m, o in ((4, 91), (3, 60), (2, 31), (1, 0)) if day >= o)
    return f"2024-{month:02}-{day + 1:02}T00:00:00Z"


def changed(**changes: Any) -> bytes:
    return config_bytes(scheme(**changes))


def with_spec(**changes: Any) -> bytes:
    return config_bytes(scheme(spec(**changes)))


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        (b"", "not JSON"),
        (b"[]", "must hold one JSON object"),
        (b'{"Schemes": 3}', "Schemes: expected a list"),
        (b'{"Schemes": [null]}', r"Schemes\[0\]: expected an object"),
        (b'{"Schemes": [{}]}', r"Schemes\[0\]: .*missing required field"),
        (changed(Epoch="2024-01-01T00:00:00+00:00"), r"Schemes\[0\]: .*no time in UTC: write for instance"),
        (changed(Epoch="2024-01-01"), "no time in UTC"),
        (changed(Epoch="2024-13-01T00:00:00Z"), "month must be in"),
        (changed(Epoch="2024-01-01T00:30:00Z"), "no whole multiple of the period"),
        (changed(MasterKey="AAAA"), r"Schemes\[0\]: the MasterKey has 3 bytes: write the base64 of 32"),
        (changed(MasterKey="?"), r"Schemes\[0\].MasterKey: invalid base64"),
        (changed(SeedPeriodNanoseconds=0), "must be above zero"),
        (changed(SeedPeriodNanoseconds=1.5), "expected a whole number"),
        (changed(SeedPeriodKeySplits=[]), "the SeedPeriodKeySplits need 1 to 15 levels"),
        (changed(SeedPeriodKeySplits=[{"Total": 1, "Threshold": 1}] * 16), "need 1 to 15 levels"),
        (
            changed(SeedPeriodKeySplits=[{"Total": 255, "Threshold": 1}]),
            r"Splits\[0\]: the Threshold is 1, the Total 255",
        ),
        (
            changed(SeedPeriodKeySplits=[{"Total": 3, "Threshold": 0}]),
            r"Splits\[0\]: the Threshold is 0, the Total 3",
        ),
        (changed(SeedPeriodKeySplits=[{"Total": 3, "Threshold": 4}]), "the Threshold is 4, the Total 3"),
        (changed(SeedSpecThreshold=2), "the SeedSpecThreshold is 2, the SeedSpecs' number 1"),
        (changed(SeedSpecThreshold=0), "the SeedSpecThreshold is 0"),
        (changed(SeedSpecs=[]), "SeedSpecs' number 0"),
        (with_spec(ID="AAAA"), r"SeedSpecs\[0\]: the ID has 3 bytes"),
        (with_spec(UpstreamASNs=["1", "2", "1"]), "name one twice"),
        (with_spec(UpstreamSubnets=["8.8.8.8"]), "the UpstreamSubnets: 8.8.8.8 is no subnet"),
        (with_spec(UpstreamSubnets=["8.8.8.8/33"]), "is no subnet: write for instance"),
        (
            config_bytes(scheme(), scheme(Epoch="2023-01-01T00:00:00Z")),
            "the Schemes must be in the order of their Epochs",
        ),
    ],
)
def test_mistakes_name_file_and_field(text: bytes, problem: str) -> None:
    with pytest.raises(DocumentError, match=f"^osl.config: .*{problem}"):
        read_osl_config(text, "osl.config")


def test_what_is_printed_is_not_secret() -> None:
    (made,) = schemes = osl_config(scheme()).schemes
    assert repr(schemes) == "[Scheme(epoch='2024-01-01T00:00:00Z')]"
    assert repr(made.seed_specs[0]) == "SeedSpec(description='number 0')"


def test_mistakes_do_not_repeat_secrets() -> None:
    with pytest.raises(DocumentError) as caught:
        read_osl_config(changed(MasterKey="c2VjcmV0"))
    assert "c2VjcmV0" not in str(caught.value)
