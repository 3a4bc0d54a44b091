"""Every fuzz target on its seeds, on mutations of them and on random bytes: the same each time."""

import random
import subprocess
import sys
from pathlib import Path

import pytest
from tests.fuzz.run import load, seeds, target_names

MUTATIONS = 300
INTERESTING = [
    b"\x00",
    b"\xff",
    b"\x7f\xff\xff\xff",
    b"\xff\xff\xff\xff",
    b"\r\n",
    b"\x00\x00\x00\x00",
    b"SSH-2.0-",
]


def mutate(rng: random.Random, data: bytes) -> bytes:
    """Change a few places: flip, replace, cut, repeat, insert."""
    result = bytearray(data)
    for _ in range(rng.randint(1, 4)):
        place = rng.randint(0, len(result))
        match rng.randrange(6):
            case 0 if result:
                result[place % len(result)] ^= 1 << rng.randrange(8)
            case 1 if result:
                result[place % len(result)] = rng.randrange(256)
            case 2:
                del result[place : place + rng.randint(1, 16)]
            case 3:
                result[place:place] = result[place : place + rng.randint(1, 64)]
            case 4:
                result[place:place] = rng.choice(INTERESTING)
            case _:
                result[place:place] = rng.randbytes(rng.randint(1, 16))
    return bytes(result)


@pytest.mark.parametrize("name", target_names())
def test_targets_hold_on_a_short_corpus(name: str) -> None:
    target = load(name)
    rng = random.Random(name)
    start = [b"", *seeds(name, target)]
    inputs = [*start]
    inputs += [mutate(rng, rng.choice(start)) for _ in range(MUTATIONS)]
    inputs += [rng.randbytes(rng.randint(0, 300)) for _ in range(MUTATIONS)]
    for data in inputs:
        try:
            target.fuzz(data)
        except Exception as error:
            error.add_note(f"input of the target {name}: {data.hex()}")
            raise


def test_the_runner_names_the_targets() -> None:
    program = Path(__file__).with_name("run.py")
    result = subprocess.run([sys.executable, str(program)], capture_output=True, text=True, check=False)
    assert result.returncode == 2
    assert all(name in result.stderr for name in target_names())
