"""Fuzz one target with atheris until it crashes or is stopped.

    python tests/fuzz/run.py ssh_clear -max_total_time=60

What follows the target's name goes to libFuzzer. It starts from the target's SEEDS and from the files in
corpus/<target>/ beside this program; new inputs are kept only if a directory for them is named.
"""

import importlib.util
import sys
import tempfile
from pathlib import Path
from types import ModuleType

__all__ = ["load", "seeds", "target_names"]

HERE = Path(__file__).resolve().parent


def target_names() -> list[str]:
    """Return the names of all targets."""
    return sorted(path.stem for path in (HERE / "targets").glob("*.py"))


def load(name: str) -> ModuleType:
    """Import a target: a module with `fuzz(data)`, and `SEEDS` if it has any."""
    spec = importlib.util.spec_from_file_location(f"fuzz_target_{name}", HERE / "targets" / f"{name}.py")
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def seeds(name: str, target: ModuleType) -> list[bytes]:
    """Return the inputs to start from."""
    files = sorted((HERE / "corpus" / name).glob("*"))
    return [*getattr(target, "SEEDS", []), *(path.read_bytes() for path in files if path.is_file())]


def main(arguments: list[str]) -> int:
    if not arguments or arguments[0] not in target_names():
        print(f"usage: {Path(sys.argv[0]).name} TARGET [libFuzzer options]", file=sys.stderr)
        print("targets: " + " ".join(target_names()), file=sys.stderr)
        return 2
    try:
        import atheris
    except ImportError:
        print("atheris is not installed; `pip install headrace[dev]` brings it on Linux", file=sys.stderr)
        return 2
    name, options = arguments[0], arguments[1:]
    with atheris.instrument_imports(include=["headrace"]):
        target = load(name)
    with tempfile.TemporaryDirectory() as start:
        for number, seed in enumerate(seeds(name, target)):
            (Path(start) / str(number)).write_bytes(seed)
        atheris.Setup([sys.argv[0], *options, start], target.fuzz)
        atheris.Fuzz()
    return 0


if __name__ == "__main__":
    sys.path[:0] = [str(HERE.parents[1]), str(HERE.parents[1] / "src")]
    sys.exit(main(sys.argv[1:]))
