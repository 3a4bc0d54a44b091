"""What a program waits for that has our client in it: `python -m bench.embedded ENTRY ORIGIN_PORT TIMES`.

Prints milliseconds as JSON: for `import headrace`, for the first use of `connect`, which loads the client,
and from `connect` to the first byte back.
"""

import json
import sys
import time

_CONFIG = {"PropagationChannelId": "F" * 16, "SponsorId": "F" * 16, "LimitTunnelProtocols": ["OSSH"]}


def main(entry: str, origin: int, times: int) -> dict[str, list[float]]:
    """Load, then connect so many times."""
    begun = time.perf_counter()
    import headrace

    imported = time.perf_counter()
    connect = headrace.connect
    loaded = time.perf_counter()
    from headrace.net.loop import run

    config = {**_CONFIG, "TargetServerEntry": entry}

    async def one() -> float:
        begun = time.perf_counter()
        async with connect(config, timeout=20) as tunnel:
            reader, writer = await tunnel.open_connection("127.0.0.1", origin)
            writer.write(b"x")
            await reader.readexactly(1)
            took = time.perf_counter() - begun
            writer.close()
        return took * 1e3

    async def all_of_them() -> list[float]:
        return [await one() for _ in range(times)]

    return {
        "import headrace": [(imported - begun) * 1e3],
        "loading headrace.connect": [(loaded - imported) * 1e3],
        "headrace.connect to first byte": run(all_of_them()),
    }


if __name__ == "__main__":
    print(json.dumps(main(sys.argv[1], int(sys.argv[2]), int(sys.argv[3]))))
