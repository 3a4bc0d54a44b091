import pytest

from headrace.base.errors import OperatorError
from headrace.documents.client_config import ClientConfig
from headrace.documents.config_reader import field_names
from headrace.network.signing.kinds import KINDS, Form, OnServers, Purpose, kind_of


def test_every_purpose_has_its_rules() -> None:
    assert set(KINDS) == set(Purpose)
    assert all(kind.purpose == purpose for purpose, kind in KINDS.items())


def test_a_purpose_is_found_as_the_model_writes_it() -> None:
    assert kind_of("entry-signing") is KINDS[Purpose.ENTRIES]


def test_an_unknown_purpose_is_told_with_those_there_are() -> None:
    with pytest.raises(OperatorError, match=r"'magic'.*list-signing.*osl-master"):
        kind_of("magic")


def test_only_keys_that_sign_or_open_elsewhere_may_be_offline() -> None:
    offline = {purpose for purpose, kind in KINDS.items() if kind.may_be_offline}
    assert offline == {Purpose.FEEDBACK} | {purpose for purpose, kind in KINDS.items() if kind.signs}


def test_what_no_build_is_told_is_secret_and_on_servers() -> None:
    secret = {purpose for purpose, kind in KINDS.items() if kind.is_secret}
    assert secret == {Purpose.DISCOVERY, Purpose.OSL}
    assert secret == {purpose for purpose, kind in KINDS.items() if kind.on_servers is OnServers.SECRET}


def test_two_are_active_at_once_wherever_clients_have_to_learn_of_the_new_one() -> None:
    assert {purpose for purpose, kind in KINDS.items() if not kind.may_overlap} == {
        Purpose.DISCOVERY,
        Purpose.OSL,
    }
    assert all(kind.may_overlap for kind in KINDS.values() if kind.form is not Form.RANDOM)


@pytest.mark.parametrize("purpose", [Purpose.LISTS, Purpose.ENTRIES])
def test_what_signs_lists_and_entries_is_a_field_of_our_own_clients(purpose: Purpose) -> None:
    assert KINDS[purpose].client_field in field_names(ClientConfig)
