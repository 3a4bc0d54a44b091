"""Obfuscated lists: which are published at what time."""

import io
from collections.abc import Sequence
from datetime import timedelta

import pytest
from tests.osl_configs import config_bytes
from tests.package_keys import KEY
from tests.unit.network.publish.rig import (
    DAY,
    NOW,
    OSL_CHANNEL,
    SCHEME,
    PlainRendering,
    Rig,
)

from headrace.documents.osl.config import Scheme, read_osl_config
from headrace.documents.osl.paver import osl_id
from headrace.documents.osl.registry import read_registry
from headrace.documents.signed_package import open_package
from headrace.network.publish.kinds import Kind
from headrace.network.publish.publishing import plan_for

LIST = 10 * DAY  # seconds that a list of the scheme covers


def scheme() -> Scheme:
    return read_osl_config(config_bytes(SCHEME)).schemes[0]


def ids(numbers: range) -> list[str]:
    paved = scheme()
    return [osl_id(paved, OSL_CHANNEL, paved.start + number * paved.duration).hex() for number in numbers]


def put_in_lists(rig: Rig, osl_ids: Sequence[str]) -> None:
    with rig.book.change("ann", "lists") as change:
        server = change.server("server number 3")
        server.osl_ids = list(osl_ids)
        server.osl_end = change.now + timedelta(days=400)


def named(rig: Rig) -> list[str]:
    registry = rig.store.objects["web/mail-1/osl/osl-registry"]
    chunks = open_package(io.BytesIO(registry), KEY.public).chunks()
    return [spec.id.hex() for spec in read_registry(chunks)]


@pytest.mark.parametrize("days", [0, 1, 119, 130, 250])
def test_lists_go_back_for_120_days_and_ahead_for_one(rig: Rig, days: int) -> None:
    put_in_lists(rig, ids(range(60)))
    rig.clock.now += days * DAY
    rig.publish(only=[Kind.OSL])
    epoch = scheme().start / 1e9
    assert named(rig) == [
        identity
        for number, identity in enumerate(ids(range(60)))
        if rig.clock.now - 120 * DAY <= epoch + number * LIST <= rig.clock.now + LIST
    ]


def test_a_plan_has_them_when_a_new_one_begins_and_not_before(rig: Rig) -> None:
    rig.publish()
    begins = LIST - (NOW - scheme().start / 1e9) % LIST

    def reasons() -> set[tuple[str, ...]]:
        with rig.book.view() as view:
            return {item.reasons for item in plan_for(view, PlainRendering(view)).only([Kind.OSL])}

    rig.clock.now += begins - 1
    assert reasons() == set()
    rig.clock.now += 1
    assert reasons() == {("scheme 0: lists 0 to 5 → lists 0 to 6",)}
