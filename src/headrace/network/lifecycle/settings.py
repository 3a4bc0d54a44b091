"""The network's settings, by name, read from text as their columns want them."""

import ipaddress
import re
from collections.abc import Iterator
from typing import Any, Final, get_args, get_origin, get_type_hints

import msgspec
from sqlalchemy import delete, inspect

from headrace.base.errors import DocumentError, OperatorError
from headrace.documents.blocklist import read_blocklist
from headrace.documents.config_reader import fold_name
from headrace.documents.server_config import examine_server_config
from headrace.documents.server_files import encode_file
from headrace.documents.tactics_config import read_tactics_config
from headrace.documents.traffic_rules import read_traffic_rules
from headrace.network.book import Change
from headrace.network.exports.host import check_schemes
from headrace.network.lifecycle.pages import check_rule, check_url
from headrace.network.model import SECRETS, NetworkSettings, Published
from headrace.network.publish.places import BUNDLES, EXPORTS, STORE, host_place
from headrace.network.publish.stores.opening import open_hosts, open_store

__all__ = ["set_setting", "setting_names"]

#: What is set by other commands, or not at all.
_NOT_SET: Final = frozenset({"id", "revision", "network_name", "production", "default_sponsor_id"})
_SECRET: Final = frozenset({"store_access_key", "store_secret_key"})
#: Where contents go -> what their places begin with in the ledger.
_PLACES: Final = {
    "public_store": STORE,
    "host_store": host_place(""),
    "bundle_directory": BUNDLES,
    "extract_directory": EXPORTS,
}
#: Texts that may have many lines.
_LONG: Final = frozenset({"blocklist"})

#: Numbers from, up to. Above these they would be mistakes, and some could not be reckoned with.
_LIMITS: Final = {
    "discovery_horizon_hours": (1, 8760),
    "discovery_pools": (1, 1000),
    "list_sample": (0, 100_000),
    "embedded_sample": (0, 100_000),
    "retired_address_days": (0, 36_500),
}
_MOST_PORT: Final = 0xFFFF


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
    (kind,) = get_args(get_type_hints(NetworkSettings)[name])
    value = _value(name, kind, text)
    _check(name, value)
    if name in _PLACES and value != getattr(change.settings, name):
        # Of what was published elsewhere nothing is at the new place.
        change.session.execute(delete(Published).where(Published.place.startswith(_PLACES[name])))
    setattr(change.settings, name, value)


def _value(name: str, kind: Any, text: str) -> Any:
    if kind is int:
        return _number(name, text)
    if kind is str:
        if name not in _LONG and not text.isprintable():
            raise OperatorError(f"{name} is one line of text")
        return text
    return _structure(name, kind, text)


def _number(name: str, text: str) -> int:
    least, most = _LIMITS[name]
    try:
        number = int(text)
    except ValueError:
        raise OperatorError(f"{name} is a number, not {text!r}") from None
    if not least <= number <= most:
        raise OperatorError(f"{name} is a number from {least} to {most}")
    return number


def _structure(name: str, kind: Any, text: str) -> Any:
    is_list = get_origin(kind) is list
    if not text.strip():
        return [] if is_list else {}
    try:
        if is_list and text.lstrip()[0] not in "[{":
            words = [word.strip() for word in text.split(",") if word.strip()]
            return msgspec.convert(words, kind, strict=False)
        return msgspec.json.decode(text, type=kind)
    except msgspec.ValidationError as error:
        raise OperatorError(
            f"{name} is {'a list' if is_list else 'a table'} of another kind: {error}"
        ) from None
    except (msgspec.DecodeError, UnicodeEncodeError) as error:
        raise OperatorError(f"{name}: this is not JSON: {error}") from None
    except RecursionError:
        raise OperatorError(f"{name}: this JSON is nested too deeply") from None


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
            case "traffic_rules" if value:
                read_traffic_rules(encode_file(value), "the rules")
            case "tactics" if value:
                read_tactics_config(encode_file(value), "the tactics")
            case "blocklist":
                read_blocklist(value.splitlines(), "the list")
            case "server_settings":
                _check_server_settings(value)
            case "public_urls":
                for url in value:
                    if not url.startswith(("https://", "http://")):
                        raise OperatorError(f"{url!r} is not a URL by which users could reach the store")
            case "ossh_ports":
                _check_ports(value)
            case "ssh_allow_list":
                _check_networks(value)
            case "https_request_rules":
                _check_rules(value)
            case "default_alert_action_urls":
                _check_alerts(value)
    except DocumentError as error:
        raise OperatorError(f"{name}: {error}") from None


def _check_ports(ports: list[int]) -> None:
    for port in ports:
        if not 0 < port <= _MOST_PORT:
            raise OperatorError(f"{port} is not a port: give numbers from 1 to {_MOST_PORT}")


def _check_networks(texts: list[str]) -> None:
    for text in texts:
        try:
            ipaddress.ip_network(text, strict=False)
        except ValueError:
            raise OperatorError(
                f"{text!r} is neither an address nor a network: give one like 192.0.2.0/24"
            ) from None


def _check_server_settings(fields: dict[str, Any]) -> None:
    """Insist on values that servers take: with others, none of them would start again."""
    _, problems = examine_server_config(fields)
    for problem in problems:
        # What is said of the others is that they are missing: each server has them itself.
        if fold_name(re.split(r"\W", problem, maxsplit=1)[0]) in map(fold_name, fields):
            raise DocumentError(problem)


def _check_rules(rules: list[dict[str, Any]]) -> None:
    for rule in rules:
        match rule:
            case {"regex": str(regex), "replace": str(replace)} if len(rule) == 2:
                check_rule(regex, replace)
            case _:
                raise OperatorError('a rule is {"regex": "example\\\\.org", "replace": "news"}')


def _check_alerts(alerts: dict[str, Any]) -> None:
    for reason, urls in alerts.items():
        if not reason or not isinstance(urls, list) or not all(isinstance(url, str) for url in urls):
            raise OperatorError('alerts are {"reason": ["https://…", …], …}')
        for url in urls:
            check_url(url)
