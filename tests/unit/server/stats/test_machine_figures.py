from pathlib import Path

from headrace.server.stats.machine_figures import MachineFigures

HEAD = "Inter-|   Receive |  Transmit\n face |bytes packets|bytes packets\n"


def write(proc: Path, received: int, sent: int, busy: int, idle: int) -> None:
    (proc / "net").mkdir(exist_ok=True)
    (proc / "net" / "dev").write_text(
        f"{HEAD}    lo: 999999 1 0 0 0 0 0 0 999999 1 0 0 0 0 0 0\n"
        f"  eth0:{received} 1 0 0 0 0 0 0 {sent} 1 0 0 0 0 0 0\n"
        "  eth1: 5 1 0 0 0 0 0 0 5 1 0 0 0 0 0 0\n"
    )
    (proc / "stat").write_text(f"cpu  {busy} 0 0 {idle} 0 0 0 0 0 0\ncpu0 1 1 1 1 1 1 1 1 0 0\n")


def test_figures_since_the_last_look(tmp_path: Path) -> None:
    write(tmp_path, 100, 200, 10, 90)
    machine = MachineFigures(tmp_path)
    write(tmp_path, 150, 300, 40, 100)
    assert machine.since_last() == {
        "network_bytes_received": 50,
        "network_bytes_sent": 100,
        "cpu_percent": 75.0,
    }
    assert machine.since_last() == {
        "network_bytes_received": 0,
        "network_bytes_sent": 0,
        "cpu_percent": 0.0,
    }


def test_counters_that_began_anew_are_left_out(tmp_path: Path) -> None:
    write(tmp_path, 100, 200, 10, 90)
    machine = MachineFigures(tmp_path)
    write(tmp_path, 1, 300, 10, 190)
    assert machine.since_last() == {"cpu_percent": 0.0}


def test_a_machine_that_does_not_tell(tmp_path: Path) -> None:
    assert MachineFigures(tmp_path).since_last() == {}


def test_this_machine() -> None:
    figures = MachineFigures().since_last()
    assert all(isinstance(value, int | float) and value >= 0 for value in figures.values())
