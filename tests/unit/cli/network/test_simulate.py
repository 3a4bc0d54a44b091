"""What an adversary learns, from the command line."""

import pytest
from tests.unit.cli.network.asking import ask, network_command

_SIZES = "channels=4,permanent=2,propagation=1,discovery=6,osl=2,waves=7"


@pytest.mark.usefixtures("network")
def test_the_network_is_looked_at_as_it_is() -> None:
    shares = ask("simulate", "--addresses", 10, "--channels", 2)["shares"]
    of = {(share["role"], share["source"]): share for share in shares}
    assert of["permanent", "all together"]["of"] == 2
    assert of["discovery", "discovery"]["learned"] == 2  # of two, ten addresses learn both
    assert of["osl", "osl"]["of"] == 2


@pytest.mark.usefixtures("network")
@pytest.mark.parametrize("strategy", ["classic", "keyed"])
def test_the_strategy_may_be_another(strategy: str) -> None:
    shares = ask("simulate", "--addresses", 1, "--strategy", strategy)["shares"]
    assert {share["of"] for share in shares if share["role"] == "discovery"} == {2}


def test_a_made_up_network_needs_no_other_and_comes_again_with_its_seed(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("HEADRACE_NETWORK", "nowhere")
    once, again = (ask("simulate", "--population", _SIZES, "--seed", "words") for _ in range(2))
    assert once == again
    assert {share["of"] for share in once["shares"] if share["role"] == "permanent"} == {8}


def test_there_is_a_warning_of_what_is_learned_beyond_a_limit() -> None:
    arguments = ("simulate", "--population", _SIZES, "--addresses", 1000)
    found = ask(*arguments, "--limit", "discovery=10%", "--limit", "permanent=1")
    assert [each["role"] for each in found["warnings"]] == ["discovery"]
    assert (
        "of the discovery servers, the limit is 10%"
        in network_command(*arguments, "--limit", "discovery=10%").out
    )


@pytest.mark.parametrize(
    "text", ["", "channels", "channels=x", "servers=3", "channels=3,waves=0", "permanent=3", "channels=10001"]
)
def test_a_population_is_made_of_sizes(text: str) -> None:
    outcome = network_command("simulate", "--population", text)
    assert outcome.code == 2
    assert "population" in outcome.err
