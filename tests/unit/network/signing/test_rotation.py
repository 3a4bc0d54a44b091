import re
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from headrace.base.errors import OperatorError
from headrace.network.model import NetworkKey
from headrace.network.signing.rotation import (
    Copy,
    accepted_keys,
    active_keys,
    check_room,
    copies,
    folder_name,
    may_retire_at,
    newest_copy,
    plain_key,
    ring,
    sole_key,
)

START = datetime(2026, 1, 1, tzinfo=UTC)


def day(number: int) -> datetime:
    return START + timedelta(days=number)


def new_key(
    key_id: str, created: int, retired: int | None = None, purpose: str = "list-signing", name: str = ""
) -> NetworkKey:
    return NetworkKey(
        purpose=purpose,
        name=name,
        key_id=key_id,
        public=f"public {key_id}",
        created_at=day(created),
        retired_at=None if retired is None else day(retired),
    )


def shown(found: tuple[Copy, ...]) -> list[tuple[str, str]]:
    return [(copy.folder, "".join(key.key_id for key in copy.keys)) for copy in found]


def test_a_ring_is_the_keys_of_one_purpose_and_name_oldest_first() -> None:
    keys = [
        new_key("c", 3),
        new_key("a", 1, 2),
        new_key("x", 0, purpose="osl-master", name="0"),
        new_key("y", 0, purpose="osl-master", name="1"),
    ]
    assert [key.key_id for key in ring(keys, "list-signing")] == ["a", "c"]
    assert [key.key_id for key in ring(keys, "osl-master", "1")] == ["y"]


def test_of_two_active_keys_the_oldest_signs_plain_names() -> None:
    keys = [new_key("b", 2), new_key("a", 1), new_key("z", 0, 1)]
    assert plain_key(keys).key_id == "a"
    assert [key.key_id for key in active_keys(keys)] == ["a", "b"]


def test_new_clients_accept_all_active_keys_and_expect_the_newest() -> None:
    assert accepted_keys([new_key("a", 1), new_key("b", 2), new_key("z", 0, 1)]) == ("public b", "public a")


def test_what_servers_hand_out_is_signed_while_there_is_only_one_key() -> None:
    first, second = new_key("a", 0), new_key("b", 1)
    assert sole_key([first]) is first
    assert sole_key([first, second]) is None
    assert sole_key([new_key("a", 0, 2), second]) is second


@pytest.mark.parametrize("keys", [[], [new_key("a", 0, 1)]])
def test_without_an_active_key_nothing_can_be_signed(keys: list[NetworkKey]) -> None:
    for function in (plain_key, sole_key, copies, newest_copy):
        with pytest.raises(OperatorError, match="missing, or retired"):
            function(keys)


def test_one_key_signs_under_the_usual_names_only() -> None:
    assert shown(copies([new_key("a", 0)])) == [("", "a")]


def test_a_second_key_has_a_folder() -> None:
    keys = [new_key("a", 0), new_key("b", 1)]
    assert shown(copies(keys)) == [("", "a"), (folder_name("b"), "b")]
    assert newest_copy(keys) == copies(keys)[1]


def test_a_key_keeps_its_folder_when_the_older_one_retires_and_has_the_usual_names_too() -> None:
    keys = [new_key("a", 0, 2), new_key("b", 1)]
    assert shown(copies(keys)) == [("", "b"), (folder_name("b"), "b")]
    assert newest_copy(keys).folder == folder_name("b")


def test_builds_go_back_to_the_old_key_when_the_new_one_had_to_go() -> None:
    keys = [new_key("a", 0), new_key("b", 1, 2)]
    assert shown(copies(keys)) == [("", "a")]
    assert newest_copy(keys).folder == ""


def test_a_third_key_after_the_first_has_gone() -> None:
    keys = [new_key("a", 0, 2), new_key("b", 1), new_key("c", 3)]
    assert shown(copies(keys)) == [("", "b"), (folder_name("b"), "b"), (folder_name("c"), "c")]
    assert newest_copy(keys).folder == folder_name("c")


def test_keys_of_two_purposes_are_copied_as_builds_had_them_together() -> None:
    lists = [new_key("L", 0), new_key("M", 4)]
    entries = [new_key("E", 1, purpose="entry-signing"), new_key("F", 3, purpose="entry-signing")]
    assert shown(copies(lists, entries)) == [
        ("", "LE"),
        (folder_name("L", "F"), "LF"),
        (folder_name("M", "F"), "MF"),
    ]


def test_a_pair_goes_with_either_of_its_keys() -> None:
    lists = [new_key("L", 0), new_key("M", 4)]
    entries = [new_key("E", 0, 5, "entry-signing"), new_key("F", 3, purpose="entry-signing")]
    assert shown(copies(lists, entries)) == [
        ("", "LF"),
        (folder_name("L", "F"), "LF"),
        (folder_name("M", "F"), "MF"),
    ]


def test_a_pair_that_comes_up_only_by_retirement_is_copied() -> None:
    lists = [new_key("L", 0), new_key("M", 1, 3)]
    entries = [new_key("E", 0, purpose="entry-signing"), new_key("F", 2, purpose="entry-signing")]
    assert shown(copies(lists, entries)) == [("", "LE"), (folder_name("L", "F"), "LF")]
    assert newest_copy(lists, entries).folder == folder_name("L", "F")


def test_folders_look_random_and_do_not_depend_on_the_order_of_purposes() -> None:
    assert folder_name("a", "b") == folder_name("b", "a") != folder_name("a")
    assert re.fullmatch("[a-z0-9]{4}-[a-z0-9]{4}-[a-z0-9]{4}", folder_name("a"))


def test_the_folder_of_a_key_never_changes() -> None:
    assert folder_name("0123456789abcdef") == "91qv-iiir-5eq6"


histories = st.lists(
    st.tuples(st.integers(0, 20), st.none() | st.integers(0, 20)).filter(
        lambda span: span[1] is None or span[0] < span[1]
    ),
    min_size=1,
    max_size=5,
    unique_by=lambda span: span[0],
)


@given(histories, histories)
def test_whatever_the_history_usual_names_are_filled_and_builds_have_a_copy(
    first: list[tuple[int, int | None]], second: list[tuple[int, int | None]]
) -> None:
    rings = [
        [new_key(f"{letter}{number}", *span) for number, span in enumerate(spans)]
        for letter, spans in (("L", first), ("E", second))
    ]
    if not all(active_keys(keys) for keys in rings):
        with pytest.raises(OperatorError):
            copies(*rings)
        return
    found = copies(*rings)
    assert found[0].folder == ""
    assert len({copy.folder for copy in found}) == len(found)
    assert all(key.retired_at is None for copy in found for key in copy.keys)
    newest = newest_copy(*rings)
    assert newest in found
    assert newest.keys == tuple(active_keys(keys)[-1] for keys in rings)


@given(histories, st.integers(21, 40))
def test_retiring_the_oldest_moves_no_copy_that_stays(
    spans: list[tuple[int, int | None]], moment: int
) -> None:
    keys = [new_key(str(number), *span) for number, span in enumerate(spans)]
    if len(active_keys(keys)) < 2:
        return
    before = {copy.folder: copy.keys for copy in copies(keys) if copy.folder}
    oldest = plain_key(keys)
    oldest.retired_at = day(moment)
    after = {copy.folder: copy.keys for copy in copies(keys) if copy.folder}
    assert after == {folder: signed for folder, signed in before.items() if oldest not in signed}


def test_a_key_without_a_successor_may_not_retire() -> None:
    old, new = new_key("a", 0), new_key("b", 10)
    assert may_retire_at(old, [old], None) is None
    assert may_retire_at(new, [old, new], None) is None


def test_a_key_may_retire_when_the_last_clients_that_know_only_it_are_old() -> None:
    old, new = new_key("a", 0), new_key("b", 10)
    overlap = timedelta(days=30)
    assert may_retire_at(old, [old, new], None, overlap) == day(40)
    assert may_retire_at(old, [old, new], day(5), overlap) == day(40)
    assert may_retire_at(old, [old, new], day(20), overlap) == day(50)


def test_a_third_active_key_has_no_room() -> None:
    check_room(
        "list-signing", "", [new_key("a", 0), new_key("z", 0, 1), new_key("e", 0, None, "entry-signing")]
    )
    with pytest.raises(OperatorError, match="a and b are active: retire a first"):
        check_room("list-signing", "", [new_key("a", 0), new_key("b", 1)])


def test_a_key_that_cannot_overlap_has_room_for_one_of_a_name() -> None:
    keys = [new_key("a", 0, purpose="osl-master", name="0")]
    check_room("osl-master", "1", keys)
    with pytest.raises(OperatorError, match="a is active: retire a first"):
        check_room("osl-master", "0", keys)
