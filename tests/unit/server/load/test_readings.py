"""The machine's readings, from files as the kernel writes them."""

from pathlib import Path

import pytest

from headrace.server.load.readings import Machine, Readings

FILES = {
    "proc/loadavg": "1.80 0.55 0.20 3/311 8270\n",
    "proc/meminfo": "MemTotal:       4024684 kB\nMemAvailable:   2014856 kB\nHugePages_Total: 0\n",
    "proc/sys/net/netfilter/nf_conntrack_count": "13107\n",
    "proc/sys/net/netfilter/nf_conntrack_max": "65536\n",
    "proc/net/route": "Iface\tDestination\tGateway\tFlags\tRefCnt\tUse\tMetric\tMask\n"
    "eth0\t00000000\t010200C0\t0003\t0\t0\t0\t00000000\n",
    "sys/class/net/eth0/speed": "100\n",
    "sys/class/net/eth0/statistics/rx_bytes": "1000000\n",
}


def put(root: Path, files: dict[str, str]) -> None:
    for name, text in files.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)


@pytest.fixture
def machine(tmp_path: Path) -> Machine:
    put(tmp_path, FILES)
    return Machine(tmp_path, cores=2)


def test_all_of_it(machine: Machine, tmp_path: Path) -> None:
    assert machine.read(10.0) == Readings(
        load_per_core=0.9,
        memory=4024684 * 1024,
        available_memory=2014856 * 1024,
        tracked=13107 / 65536,
        interface_bits=100_000_000,
        inbound_bits=None,  # there is nothing to compare with yet
    )
    put(tmp_path, {"sys/class/net/eth0/statistics/rx_bytes": "6000000"})
    assert machine.read(15.0).inbound_bits == pytest.approx(8_000_000)
    assert machine.read(20.0).inbound_bits == 0


def test_counters_that_go_back_say_nothing(machine: Machine, tmp_path: Path) -> None:
    machine.read(10.0)
    put(tmp_path, {"sys/class/net/eth0/statistics/rx_bytes": "5"})
    assert machine.read(15.0).inbound_bits is None
    assert machine.read(20.0).inbound_bits == 0


def test_another_interface_begins_anew(machine: Machine, tmp_path: Path) -> None:
    machine.read(10.0)
    put(tmp_path, {"proc/net/route": FILES["proc/net/route"].replace("eth0", "eth1")})
    put(tmp_path, {"sys/class/net/eth1/statistics/rx_bytes": "99000000000"})
    assert machine.read(15.0).inbound_bits is None
    assert machine.read(16.0).inbound_bits == 0


@pytest.mark.parametrize(("speed", "bits"), [("40000", 10**9), ("-1", None), ("", None), ("10", 10**7)])
def test_what_an_interface_says_of_itself(
    machine: Machine, tmp_path: Path, speed: str, bits: int | None
) -> None:
    put(tmp_path, {"sys/class/net/eth0/speed": speed})
    assert machine.read(1.0).interface_bits == bits


def test_a_machine_without_such_files_says_nothing(tmp_path: Path) -> None:
    assert Machine(tmp_path).read(1.0) == Readings()


@pytest.mark.parametrize("name", FILES)
@pytest.mark.parametrize("text", ["", "\n", "garbage", "a b c\nd e f\n", "-", "\x00\xff", "nan", "1e999"])
def test_files_of_another_form_are_no_readings(
    machine: Machine, tmp_path: Path, name: str, text: str
) -> None:
    put(tmp_path, {name: text})
    machine.read(1.0)
    machine.read(2.0)


def test_this_machine_has_memory() -> None:
    readings = Machine().read(1.0)
    assert readings.memory is None or 0 < (readings.available_memory or 0) <= readings.memory
