"""Whatever leaves says what it is made of, and is made of nothing that its audience may not see."""

from typing import Annotated

import msgspec
import pytest
from sqlalchemy import Column, MetaData, String, Table, inspect

from headrace.network.exports.classified import ENTRIES, MadeOf, Secret, columns_used, misclassified
from headrace.network.exports.departments import RECORDS
from headrace.network.exports.entry import EntryRecord
from headrace.network.exports.host import HostConfiguration
from headrace.network.exports.psinet import PsinetRecord
from headrace.network.model import (
    SECRETS,
    Audience,
    Base,
    Host,
    Server,
    Sponsor,
    audiences,
    secret_audiences,
)

ALL = [
    (EntryRecord, Audience.CLIENT),
    (HostConfiguration, Audience.HOST),
    (PsinetRecord, Audience.PSINET),
    *((record, audience) for audience, record in RECORDS.items()),
]


@pytest.mark.parametrize(("record", "audience"), ALL)
def test_no_record_has_what_its_audience_may_not_see(
    record: type[msgspec.Struct], audience: Audience
) -> None:
    assert misclassified(record, audience) == []
    assert columns_used(record)


@pytest.mark.parametrize(("record", "audience"), ALL)
def test_records_are_not_for_everybody(record: type[msgspec.Struct], audience: Audience) -> None:
    unfit = [each for each in Audience if misclassified(record, each)]
    assert len(unfit) >= len(Audience) // 2


def test_a_field_that_says_nothing_is_found_however_deep() -> None:
    class Inner(msgspec.Struct):
        region: Annotated[str, MadeOf(Host.region)]
        forgotten: str

    class Record(msgspec.Struct):
        made_here: Annotated[str, MadeOf()]
        direct: Inner
        by_name: dict[str, list[Inner]]
        maybe: Inner | None
        entries: Annotated[list[str], MadeOf(ENTRIES)]

    found = misclassified(Record, Audience.HOST)
    assert set(found) == {"Inner.forgotten does not say what it is made of"}
    assert len(found) == 3


def test_a_forbidden_column_or_secret_is_found() -> None:
    class Record(msgspec.Struct):
        region: Annotated[str, MadeOf(Host.region)]
        name: Annotated[str, MadeOf(Host.region, Sponsor.name)]
        password: Annotated[str, MadeOf(Secret(Host, "management_credential"))]

    assert misclassified(Record, Audience.HOST) == [
        "Record.name is made of sponsors.name, which is not for host",
        "Record.password is made of hosts.secret.management_credential, which is not for host",
    ]
    assert columns_used(Record) == {"hosts.region", "sponsors.name", "hosts.secret.management_credential"}


def test_what_is_wrapped_in_a_classified_field_is_looked_at_too() -> None:
    class Inner(msgspec.Struct):
        name: Annotated[str, MadeOf(Sponsor.name)]

    class Record(msgspec.Struct):
        inner: Annotated[list[Inner], MadeOf(Host.region)]

    assert misclassified(Record, Audience.HOST) == [
        "Inner.name is made of sponsors.name, which is not for host"
    ]


def test_every_column_of_the_model_is_classified() -> None:
    columns = [column for table in Base.metadata.tables.values() for column in table.columns]
    assert len(columns) > 100
    for column in columns:
        assert audiences(column) <= set(Audience), column


def test_a_column_that_nobody_has_classified_is_a_mistake() -> None:
    table = Table("servers", MetaData(), Column("new_fact", String))
    with pytest.raises(KeyError):
        audiences(table.columns["new_fact"])


def test_secrets_are_those_of_the_model() -> None:
    for owner, names in SECRETS.items():
        columns = set(inspect(owner).columns.keys())
        for name in names:
            assert secret_audiences(owner, name) <= set(Audience)
            assert name not in columns, "a secret is in no column"
    with pytest.raises(KeyError):
        secret_audiences(Server, "management_credential")
