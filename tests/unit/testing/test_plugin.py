"""The pytest plugin as another project would use it: its own tests, run by pytest in pytest."""

import pytest

pytest_plugins = ["pytester"]

CONFTEST = 'pytest_plugins = ["headrace.testing.plugin"]'
TESTS = """
    import asyncio
    import pytest
    from headrace.testing.censor import REFUSE, STALL, Rule
    from headrace.testing.origin import PAGE

    def loop_name():
        return type(asyncio.get_running_loop()).__module__.partition(".")[0]

    async def test_default():
        assert loop_name() == "asyncio"

    @pytest.mark.both_loops
    async def test_both():
        assert loop_name() in ("asyncio", "uvloop")

    @pytest.mark.virtual_time
    async def test_virtual():
        await asyncio.sleep(1_000_000)

    async def test_network(loopback_network, origin):
        assert loopback_network.controller.connected.is_set()
        assert origin.port != loopback_network.origin.port

    @pytest.mark.virtual_time
    async def test_censored(censored_network):
        for server in censored_network.servers[:2]:
            server.decree(Rule(STALL, down=0))
        async with censored_network.client() as client:
            await client.connected()
            assert await client.fetch(censored_network.origin.url()) == PAGE

    async def test_two_networks(make_network):
        one, other = await make_network(1), await make_network(2, rules=REFUSE, first=1)
        async with one.client(other.servers + one.servers) as client:
            await client.connected()
"""


@pytest.mark.parametrize("mode", ["auto", "strict"])
def test_loops_and_networks_for_others(mode: str, pytester: pytest.Pytester) -> None:
    pytester.makeini("[pytest]\nasyncio_default_fixture_loop_scope = function\n")
    pytester.makeconftest(CONFTEST)
    marked = "\n    pytestmark = pytest.mark.asyncio\n" if mode == "strict" else ""
    pytester.makepyfile(TESTS.replace("import pytest\n", "import pytest\n" + marked, 1))
    arguments = ("--strict-markers", f"--asyncio-mode={mode}", "-p", "no:cacheprovider", "-v")
    result = pytester.runpytest_subprocess(*arguments, "-W", "error")
    result.assert_outcomes(passed=7)
    result.stdout.fnmatch_lines(["*test_both?asyncio? PASSED*", "*test_both?uvloop? PASSED*"])
