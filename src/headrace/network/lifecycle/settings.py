"""The network's settings, by name, read from text as their columns want them."""

import json
from collections.abc import Iterator
from typing import Any, Final

from sqlalchemy import inspect

from headrace.base.errors import DocumentError, OperatorError
from headrace.network.book import Change
from headrace.network.exports.host import check_schemes
from headrace.network.model import SECRETS, NetworkSettings
from headrace.network.publish.stores.opening import open_hosts, open_store

__all__ = ["set_setting", "setting_names"]

#: What is set by other commands, or not at all.
_NOT_SET: Final = frozenset({"id", "revision", "network_name", "production", "default_sponsor_id"})
_SECRET: Final = frozenset({"store_access_key", "store_secret_key"})


def setting_names() -> Iterator[str]:
    """Yield the names of all settings."""
    yield from (name for name in inspect(NetworkSettings).columns.keys() if name not in _NOT_SET)
    yield from sorted(_SECRET)


def set_setting(change: Change, name: str, text: str) -> None:
    """Set a setting from text: lists and tables as JSON, or a list of words as words with commas between.

    An empty text takes a secret, a list or a table away. Raises OperatorError.
    """
    if name in _SECRET:
        assert name in SECRETS[NetworkSettings]
        change.set_secrets(change.settings, {name: text or None})
        return
    if name not in set(setting_names()):
        raise OperatorError(f"there is no setting {name!r}; there are: {', '.join(setting_names())}")
    value = _value(name, inspect(NetworkSettings).columns[name].type.python_type, text)
    _check(name, value)
    setattr(change.settings, name, value)


def _value(name: str, kind: type, text: str) -> Any:
    if kind is bool:
        if text.lower() not in ("yes", "no", "true", "false"):
            raise OperatorError(f"{name} is yes or no, not {text!r}")
        return text.lower() in ("yes", "true")
    if kind is int:
        try:
            return int(text)
        except ValueError:
            raise OperatorError(f"{name} is a number, not {text!r}") from None
    if kind is str:
        return text
    return _structure(name, text)


def _structure(name: str, text: str) -> Any:
    default = NetworkSettings.__table__.columns[name].default
    empty: Any = default.arg(None) if default is not None and default.is_callable else []
    if not text.strip():
        return empty
    if isinstance(empty, list) and text.lstrip()[0] not in "[{":
        words = [word.strip() for word in text.split(",") if word.strip()]
        return [int(word) for word in words] if all(word.isdigit() for word in words) else words
    try:
        value = json.loads(text)
    except ValueError as error:
        raise OperatorError(f"{name}: this is not JSON: {error}") from None
    if type(value) is not type(empty):
        raise OperatorError(f"{name} is {'a list' if isinstance(empty, list) else 'a table'} of JSON")
    return value


def _check(name: str, value: Any) -> None:
    try:
        match name:
            case "public_store" if value:
                keys = ("unchecked", "unchecked") if value.startswith("s3:") else ()
                open_store(value, *keys)
            case "host_store" if value:
                open_hosts(value)
            case "osl_schemes":
                check_schemes(value)
            case "public_urls":
                for url in value:
                    if not str(url).startswith(("https://", "http://")):
                        raise OperatorError(f"{url!r} is not a URL by which users could reach the store")
    except DocumentError as error:
        raise OperatorError(f"{name}: {error}") from None
