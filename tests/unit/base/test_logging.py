"""What reaches a log, and what does not."""

import io
import json
import logging
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from headrace.base.logging import configure_logging

LOGGER = logging.getLogger("headrace.tests")


@pytest.fixture(autouse=True)
def restored_root() -> Iterator[None]:
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    yield
    for handler in root.handlers:
        if handler not in handlers:
            handler.close()
    root.handlers[:] = handlers
    root.setLevel(level)


@pytest.fixture
def stream() -> io.StringIO:
    return io.StringIO()


def lines(stream: io.StringIO) -> list[dict[str, Any]]:
    return [json.loads(line) for line in stream.getvalue().splitlines()]


def test_one_object_per_line(stream: io.StringIO) -> None:
    configure_logging("info", stream=stream)
    LOGGER.debug("not shown")
    LOGGER.info("listening\non %s", "two lines", extra={"port": 53, "level": "no override"})
    LOGGER.warning("grüße")
    first, second = lines(stream)
    assert first["event"] == "listening\non two lines"
    assert (first["level"], first["logger"], first["port"]) == ("info", "headrace.tests", 53)
    assert first["time"].endswith("Z")
    assert len(first["time"]) == len("2024-01-02T03:04:05.678Z")
    assert (second["level"], second["event"]) == ("warning", "grüße")


def test_addresses_go_wherever_they_are(stream: io.StringIO) -> None:
    configure_logging(stream=stream)
    LOGGER.info("from %s", "192.0.2.1:5", extra={"peer": ("2001:db8::1", 5), "by": {"192.0.2.2": 1}})
    try:
        raise OSError("192.0.2.3 refused")
    except OSError:
        LOGGER.exception("failed")
    assert "192.0.2" not in stream.getvalue()
    assert "2001:db8" not in stream.getvalue()
    assert lines(stream)[0]["event"] == "from [redacted]"
    assert "OSError: [redacted] refused" in lines(stream)[1]["exception"]


def test_secrets_go_by_name(stream: io.StringIO) -> None:
    configure_logging(stream=stream, secret_fields=["ObfuscatedSSHKey"])
    fields = {
        "password": "hidden",
        "ssh_password": "hidden",
        "obfuscatedsshkey": "hidden",
        "config": {"webServer_secret": "hidden", "keys": [{"Key": "hidden"}], "port": 1},
        "keyboard": "shown",
    }
    LOGGER.info("with secrets", extra=fields)
    assert "hidden" not in stream.getvalue()
    (line,) = lines(stream)
    assert line["config"] == {"webServer_secret": "[secret]", "keys": [{"Key": "[secret]"}], "port": 1}
    assert line["keyboard"] == "shown"


def test_any_value_can_be_logged(stream: io.StringIO) -> None:
    configure_logging("debug", stream=stream)
    LOGGER.debug("odd", extra={"path": Path("/a"), "raw": b"x"})
    assert lines(stream)[0]["path"] == "/a"


def test_to_a_file_that_may_be_rotated_away(tmp_path: Path) -> None:
    file = tmp_path / "server.log"
    configure_logging("warn", file=str(file))
    LOGGER.info("not shown")
    LOGGER.error("first")
    file.rename(tmp_path / "server.log.1")
    LOGGER.error("second")
    assert [json.loads(line)["event"] for line in file.read_text().splitlines()] == ["second"]


def test_standard_error_by_default(capsys: pytest.CaptureFixture[str]) -> None:
    configure_logging()
    LOGGER.info("here")
    assert json.loads(capsys.readouterr().err)["event"] == "here"


@pytest.mark.parametrize(
    ("level", "shown"), [("panic", 1), ("fatal", 1), ("error", 2), ("warn", 3), ("debug", 5)]
)
def test_levels_of_configuration_files(stream: io.StringIO, level: str, shown: int) -> None:
    configure_logging(level, stream=stream)
    for number in (logging.DEBUG, logging.INFO, logging.WARNING, logging.ERROR, logging.CRITICAL):
        LOGGER.log(number, "x")
    assert len(lines(stream)) == shown


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs a device that is always full")
def test_a_full_disk_costs_lines_and_that_is_told_once_it_is_over(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    log = tmp_path / "log"
    configure_logging(file=str(log))
    LOGGER.info("one")
    log.unlink()
    log.symlink_to("/dev/full")
    for word in ("two", "three"):
        LOGGER.info(word)
    log.unlink()
    LOGGER.info("four")
    LOGGER.info("five")
    told = [json.loads(line) for line in log.read_text().splitlines()]
    assert [line["event"] for line in told] == ["four", "the log can be written again", "five"]
    assert told[1]["lost_lines"] == 2
    assert capfd.readouterr() == ("", "")


def test_escapes_are_not_taken_for_addresses(stream: io.StringIO) -> None:
    """A control character is written as \\u001f, whose end and two colons would make an address of it."""
    configure_logging("info", stream=stream)
    LOGGER.info("\x1f::", extra={"detail": {"a\x1f::": ["\x1f::"]}})
    (line,) = lines(stream)
    assert line["event"].startswith("\x1f")
    assert next(iter(line["detail"].values()))[0].startswith("\x1f")
