"""A desktop in memory, and a program that prints what it is told to."""

from collections.abc import Callable, Mapping, Sequence

from headrace.desktop.settings import MODE, Proxies, Settings

__all__ = ["MemoryDesktop", "Script"]


class MemoryDesktop:
    """Settings in a mapping; `before_write` is called before each, with its name."""

    name = "memory"

    def __init__(self, **values: str | None) -> None:
        self.values: dict[str, str | None] = {
            "http": None,
            "socks": None,
            "bypass": "",
            MODE: "none",
            **values,
        }
        self.written: list[str] = []
        self.before_write: Callable[[str], None] = lambda name: None

    def read(self) -> dict[str, str | None]:
        return dict(self.values)

    def settings(self, proxies: Proxies) -> dict[str, str | None]:
        return {
            "http": f"{proxies.host} {proxies.http}" if proxies.http else None,
            "socks": f"{proxies.host} {proxies.socks}" if proxies.socks else None,
            "bypass": "localhost",
            MODE: "manual",
        }

    def write(self, settings: Settings) -> None:
        for name, text in settings.items():
            self.before_write(name)
            self.written.append(name)
            self.values[name] = text


class Script:
    """Runs nothing: remembers commands, and prints what is in `answers`."""

    def __init__(self, answers: Mapping[str, str] | None = None) -> None:
        self.answers = dict(answers or {})
        self.commands: list[str] = []

    def __call__(self, command: Sequence[str]) -> str:
        self.commands.append(" ".join(word if word else "''" for word in command))
        return self.answers.get(self.commands[-1], "")
