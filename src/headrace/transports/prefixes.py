"""From what the configuration files say about prefixes to the table the obfuscation layer draws from."""

from collections.abc import Mapping

from headrace.documents.client_config import PrefixConfig
from headrace.documents.tactics_config import ServerPrefixes
from headrace.obfuscation.prefix import PrefixSpecs

__all__ = ["client_prefixes", "server_prefixes"]


def client_prefixes(config: PrefixConfig) -> PrefixSpecs:
    """Return the client's table. Raises DocumentError for an expression that cannot be used."""
    return PrefixSpecs.from_config(
        {
            "OSSHPrefixSpecs": _pairs(config.specs),
            "OSSHPrefixScopedSpecNames": config.names_by_port,
            "OSSHPrefixProbability": config.probability,
            **_delays(config.split_min_delay, config.split_max_delay),
        }
    )


def server_prefixes(prefixes: ServerPrefixes) -> PrefixSpecs:
    """Return the server's table. Raises DocumentError for an expression that cannot be used."""
    return PrefixSpecs.from_server_config(
        {
            "ServerOSSHPrefixSpecs": _pairs(prefixes.specs),
            **_delays(prefixes.split_min_delay, prefixes.split_max_delay),
        }
    )


def _pairs(specs: Mapping[str, str]) -> dict[str, list[list[str]]]:
    return {name: [["", pattern]] for name, pattern in specs.items()}


def _delays(least: float, most: float) -> dict[str, int]:
    return {
        "OSSHPrefixSplitMinDelayMilliseconds": round(least * 1000),
        "OSSHPrefixSplitMaxDelayMilliseconds": round(most * 1000),
    }
