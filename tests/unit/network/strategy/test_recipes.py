"""New servers differ from one another, and none has a port that it cannot use."""

import json
from collections import Counter
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.unit.network.strategy.fleet import provider

from headrace.base.errors import DocumentError, OperatorError
from headrace.base.rng import SYSTEM_RNG, SeededRng
from headrace.network.strategy.recipes import Drawn, Recipes, draw, read_recipes, shipped_recipes
from headrace.network.strategy.roles import Role

SHIPPED = shipped_recipes()
NEW = [Role.PERMANENT, Role.PROPAGATION, Role.DISCOVERY, Role.OSL]
FILTERED = {15, 25, 80, 135, 136, 137, 138, 139, 515, 593}
ONE: dict[str, Any] = {
    "version": 3,
    "rate": {"per_minute": "60", "burst": "10"},
    "recipes": [{"name": "only", "weights": {"osl": 1}, "ports": {"OSSH": [{"ports": "443"}]}}],
}


def changed(**fields: Any) -> Recipes:
    return msgspec.convert(ONE | fields, Recipes)


def recipe(**fields: Any) -> dict[str, Any]:
    return {**ONE["recipes"][0], **fields}


@given(st.sampled_from(NEW), st.integers(0, 2**32), st.sets(st.integers(1, 65535), max_size=50))
def test_ports_are_free_different_and_not_filtered(role: Role, seed: int, taken: set[int]) -> None:
    managed = provider(ssh_port=2222)
    drawn = draw(SeededRng(seed), SHIPPED, role, managed, standard=[443, 8443], taken=taken)
    used = set(drawn.ports.values())
    assert "OSSH" in drawn.ports
    assert drawn.ports.keys() <= {"SSH", "OSSH"}
    assert len(used) == len(drawn.ports)
    assert used.isdisjoint(taken | FILTERED | {2222})
    assert all(1 <= port <= 65535 for port in used)


@given(st.sampled_from(NEW), st.integers(0, 2**32))
def test_without_privileges_all_ports_are_high(role: Role, seed: int) -> None:
    drawn = draw(SeededRng(seed), SHIPPED, role, lowest=1024, standard=[443])
    assert min(drawn.ports.values()) >= 1024


@pytest.mark.parametrize("role", NEW)
def test_a_fleet_is_not_known_by_its_ports(role: Role) -> None:
    rng = SeededRng(f"fleet of {role}")
    fleet = [draw(rng, SHIPPED, role, provider()) for _ in range(400)]
    commonest = Counter(each.ports["OSSH"] for each in fleet).most_common(1)[0][1]
    assert commonest < 40, "a tenth of them have the same port"
    assert len({(*each.ports.items(), each.rate_limit) for each in fleet}) == 400
    assert len({each.seed for each in fleet}) == 400


def test_half_of_the_servers_that_are_told_of_have_no_plain_ssh() -> None:
    rng = SeededRng(5)
    plain = sum("SSH" in draw(rng, SHIPPED, Role.DISCOVERY).ports for _ in range(400))
    assert 150 < plain < 250


def test_a_quarter_of_propagation_servers_hide_among_low_ports() -> None:
    rng = SeededRng(6)
    low = [each for _ in range(400) if (each := draw(rng, SHIPPED, Role.PROPAGATION)).recipe == "low/1"]
    assert 70 < len(low) < 130
    assert all(each.ports["OSSH"] <= 1022 and len(each.ports) == 1 for each in low)


def test_the_networks_own_ports_are_drawn_where_there_are_any() -> None:
    rng = SeededRng(7)
    used = Counter(draw(rng, SHIPPED, Role.OSL, standard=[40001]).ports["OSSH"] for _ in range(400))
    assert 70 < used[40001] < 180
    standard = changed(recipes=[recipe(ports={"OSSH": [{"ports": "standard"}]})])
    assert draw(rng, standard, Role.OSL, standard=[9]).ports == {"OSSH": 9}
    with pytest.raises(OperatorError, match="no recipe for the role osl has a free port"):
        draw(rng, standard, Role.OSL)


def test_a_draw_comes_again_with_its_seed() -> None:
    first = draw(SYSTEM_RNG, SHIPPED, Role.DISCOVERY, standard=[443])
    assert draw(SYSTEM_RNG, SHIPPED, Role.DISCOVERY, standard=[443], seed=first.seed) == first


def test_a_recipe_without_a_free_port_is_passed_over() -> None:
    two = changed(recipes=[recipe(), recipe(name="other", ports={"OSSH": [{"ports": "8443"}]})])
    for seed in range(20):
        drawn = draw(SeededRng(seed), two, Role.OSL, taken=[443])
        assert drawn == Drawn("other/3", drawn.seed, {"OSSH": 8443}, "60/minute burst 10 packets")
    with pytest.raises(OperatorError, match="no recipe for the role osl has a free port"):
        draw(SeededRng(0), two, Role.OSL, taken=[443, 8443])


def test_two_protocols_do_not_get_the_one_port_there_is() -> None:
    both = recipe(ports={"SSH": [{"ports": "443"}], "OSSH": [{"ports": "443"}]})
    with pytest.raises(OperatorError, match="free port"):
        draw(SeededRng(0), changed(recipes=[both]), Role.OSL)


@pytest.mark.parametrize("role", [Role.PERMANENT, Role.RETAINED])
def test_a_role_without_a_recipe_is_refused(role: Role) -> None:
    with pytest.raises(OperatorError, match=f"no recipe for the role {role} "):
        draw(SeededRng(0), changed(), role)


@pytest.mark.parametrize(
    ("fields", "problem"),
    [
        ({"recipes": [recipe(name="Not So")]}, "'Not So' is no name"),
        ({"recipes": [recipe(), recipe()]}, "two recipes have the same name"),
        ({"recipes": [recipe(ports={"QUIC": [{"ports": "443"}]})]}, "only has QUIC, which no server speaks"),
        ({"recipes": [recipe(ports={})]}, "only has no protocol"),
        ({"recipes": [recipe(ports={"OSSH": []})]}, "only has no ports for OSSH"),
        ({"recipes": [recipe(weights={"osl": -1})]}, "a weight is -1"),
        ({"recipes": [recipe(weights={"often": 1})]}, "often"),
        ({"recipes": [recipe(ports={"OSSH": [{"ports": "0"}]})]}, "'0' is no number or range"),
        ({"recipes": [recipe(ports={"OSSH": [{"ports": "9-1"}]})]}, "'9-1' is no number or range"),
        ({"recipes": [recipe(ports={"OSSH": [{"ports": "65536"}]})]}, "'65536' is no number"),
        ({"recipes": [recipe(ports={"OSSH": [{"ports": " "}]})]}, "there is no number"),
        ({"avoid": "http"}, "'http' is no number"),
        ({"rate": {"per_minute": "", "burst": "1"}}, "there is no number"),
        ({"colour": "red"}, "colour"),
    ],
)
def test_a_mistake_in_a_file_is_named(fields: dict[str, Any], problem: str) -> None:
    with pytest.raises(DocumentError, match=problem) as caught:
        read_recipes(json.dumps(ONE | fields).encode(), "my.json")
    assert str(caught.value).startswith("my.json: ")


def test_the_port_by_which_hosts_are_managed_is_never_drawn() -> None:
    two = changed(recipes=[recipe(ports={"OSSH": [{"ports": "443-444"}]})])
    ports = [draw(SeededRng(seed), two, Role.OSL, provider(ssh_port=443)).ports for seed in range(10)]
    assert ports == [{"OSSH": 444}] * 10
