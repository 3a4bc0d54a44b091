"""The way into the command, and Ctrl-C on it."""

import builtins
import signal
from typing import Any

import pytest

from headrace.cli import main, root


def test_ctrl_c_is_no_traceback_wherever_it_comes(monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupted() -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(root, "main", interrupted)
    with pytest.raises(SystemExit) as end:
        main()
    assert end.value.code == 130


@pytest.mark.parametrize(
    ("before", "while_loading"),
    [(signal.default_int_handler, signal.SIG_DFL), (signal.SIG_IGN, signal.SIG_IGN)],
    ids=["heeded", "ignored"],
)
def test_ctrl_c_while_code_is_loaded(
    before: Any, while_loading: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[Any] = []
    load = builtins.__import__

    def loading(name: str, *rest: Any, **more: Any) -> Any:
        if name == "headrace.cli.root":
            seen.append(signal.getsignal(signal.SIGINT))
        return load(name, *rest, **more)

    monkeypatch.setattr(root, "main", lambda: seen.append(signal.getsignal(signal.SIGINT)))
    monkeypatch.setattr(builtins, "__import__", loading)
    former = signal.signal(signal.SIGINT, before)
    try:
        main()
    finally:
        signal.signal(signal.SIGINT, former)
    assert seen == [while_loading, before]
