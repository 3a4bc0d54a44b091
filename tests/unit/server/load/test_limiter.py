"""The limiter: what is too much, and for how long it is."""

from dataclasses import replace
from typing import Any

import msgspec
import pytest

from headrace.documents.load_limits import LoadLimits, check_load_limits
from headrace.server.load.limiter import LoadLimiter
from headrace.server.load.readings import Readings

GIB = 1 << 30
CALM = Readings(
    load_per_core=0.3,
    memory=4 * GIB,
    available_memory=2 * GIB,
    tracked=0.2,
    interface_bits=1_000_000_000,
    inbound_bits=100_000_000.0,
)


def judge(limiter: LoadLimiter, *, tunnels: int = 0, connecting: int = 0, **change: Any) -> set[str]:
    return set(limiter.judge(replace(CALM, **change), tunnels=tunnels, connecting=connecting))


@pytest.mark.parametrize(
    ("name", "just_below", "at"),
    [
        ("load", {"load_per_core": 0.89}, {"load_per_core": 0.9}),
        ("memory", {"available_memory": GIB + 1}, {"available_memory": GIB}),
        ("memory", {"memory": 64 * GIB, "available_memory": 2 * GIB + 1}, {"memory": 64 * GIB}),
        ("memory", {"available_memory": 2 * GIB}, {"available_memory": 0}),
        ("connecting", {"connecting": 99_999}, {"connecting": 100_000}),
        ("tracked", {"tracked": 0.89}, {"tracked": 0.9}),
        ("inbound", {"inbound_bits": 939e6}, {"inbound_bits": 940e6}),
        (
            "inbound",
            {"inbound_bits": 93e6, "interface_bits": 10**8},
            {"inbound_bits": 94e6, "interface_bits": 10**8},
        ),
    ],
)
def test_the_limits_of_the_specification(name: str, just_below: dict[str, Any], at: dict[str, Any]) -> None:
    limiter = LoadLimiter(LoadLimits())
    assert judge(limiter, **just_below) == set()
    assert judge(limiter, **at) == {name}


def test_tunnels_have_a_limit_where_one_is_set() -> None:
    assert judge(LoadLimiter(LoadLimits()), tunnels=10**9) == set()
    limiter = LoadLimiter(LoadLimits(tunnels=1000))
    assert judge(limiter, tunnels=999) == set()
    assert judge(limiter, tunnels=1000) == {"tunnels"}
    assert judge(limiter, tunnels=901) == {"tunnels"}
    assert judge(limiter, tunnels=899) == set()
    assert judge(limiter, tunnels=950) == set()


def test_each_reason_lasts_until_it_is_a_good_part_below() -> None:
    limiter = LoadLimiter(LoadLimits())
    assert judge(limiter, load_per_core=1.5, tracked=0.95) == {"load", "tracked"}
    assert judge(limiter, load_per_core=0.85, tracked=0.5) == {"load"}
    assert judge(limiter, load_per_core=0.82, tracked=0.85) == {"load"}
    assert judge(limiter, load_per_core=0.8) == set()
    assert judge(limiter, available_memory=GIB - 1) == {"memory"}
    assert judge(limiter, available_memory=GIB + GIB // 10) == {"memory"}
    assert judge(limiter, available_memory=GIB + GIB // 8) == set()


def test_what_is_not_known_is_no_reason() -> None:
    assert LoadLimiter(LoadLimits(tunnels=5)).judge(Readings(), tunnels=0, connecting=0) == frozenset()


def test_zero_is_no_limit() -> None:
    none = LoadLimits(**dict.fromkeys(LoadLimits.__struct_fields__, 0))
    limiter = LoadLimiter(none)
    assert judge(limiter, tunnels=10**9, connecting=10**9, load_per_core=99.0, available_memory=1) == set()
    assert judge(limiter, tracked=1.0, inbound_bits=1e12) == set()


def test_the_interface_can_be_told_how_fast_it_is() -> None:
    limiter = LoadLimiter(LoadLimits(interface_bits_per_second=10**10))
    assert judge(limiter, inbound_bits=9.3e9) == set()
    assert judge(limiter, inbound_bits=9.4e9) == {"inbound"}


def test_an_operator_may_say_how_much_memory() -> None:
    limiter = LoadLimiter(LoadLimits(available_memory_bytes=100))
    assert judge(limiter, available_memory=101) == set()
    assert judge(limiter, available_memory=100) == {"memory"}


@pytest.mark.parametrize("field", msgspec.structs.fields(LoadLimits), ids=lambda field: field.encode_name)
def test_no_limit_is_below_zero(field: msgspec.structs.FieldInfo) -> None:
    assert check_load_limits(LoadLimits()) == ""
    wrong = msgspec.structs.replace(LoadLimits(), **{field.name: -1})
    assert check_load_limits(wrong) == f"{field.encode_name} -1 is below zero: write zero or more"
