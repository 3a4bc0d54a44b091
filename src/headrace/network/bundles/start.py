"""Where a client in one file begins: it runs on any Python from 3.11 on, with nothing else installed.

Compiled packages cannot be loaded from a zip file. So at the first start all of it is unpacked to the user's
cache, under the digest of its contents, and used from there ever after.
"""

import importlib
import json
import os
import shutil
import sys
import sysconfig
import tempfile
import zipfile
from pathlib import Path

_READY = ".ready"
_USUAL = ["connect"]


def main() -> None:
    """Unpack if need be, and run the client with the bundle that is built in."""
    if sys.version_info < (3, 11):  # noqa: UP036 - whoever starts it may have any
        _end("this needs Python 3.11 or newer; start it with a newer python3")
    here = Path(sys.argv[0]).resolve()
    with zipfile.ZipFile(here) as archive:
        about = json.loads(archive.read("platform.json"))
        ours = sys.implementation.cache_tag, sysconfig.get_platform()
        if (about["python"], about["platform"]) != ours:
            _end(
                f"this file was made for {about['python']} on {about['platform']}, and here is {ours[0]} on"
                f" {ours[1]}. Install headrace {about['version']} with pip, and use the access link:"
                " headrace connect LINK"
            )
        place = _unpacked(archive, about["digest"])
        bundle = _bundle(archive, place)
    library = str(place / "lib")
    sys.path.insert(0, library)
    # The client goes on in a process of its own, which has to find the same.
    os.environ["PYTHONPATH"] = os.pathsep.join(filter(None, (library, os.environ.get("PYTHONPATH", ""))))
    if bundle is not None:
        os.environ.setdefault("HEADRACE_BUNDLE", str(bundle))
    sys.argv = [str(here), *(sys.argv[1:] or _USUAL)]
    importlib.import_module("headrace.cli").main()


def _unpacked(archive: zipfile.ZipFile, digest: str) -> Path:
    """Return where the file is unpacked to: all of it, or it is not there."""
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "headrace"
    place = cache / digest[:32]
    if (place / _READY).exists():
        return place
    try:
        cache.mkdir(mode=0o700, parents=True, exist_ok=True)
        draft = Path(tempfile.mkdtemp(prefix="new-", dir=cache))
        try:
            print("unpacking, for the first start ...", file=sys.stderr)  # noqa: T201 - nobody else is there to
            archive.extractall(draft, [name for name in archive.namelist() if name.startswith("lib/")])
            (draft / _READY).touch()
            shutil.rmtree(place, ignore_errors=True)
            draft.rename(place)
        except OSError:
            if not (place / _READY).exists():  # or another has done it meanwhile
                raise
        finally:
            shutil.rmtree(draft, ignore_errors=True)
    except OSError as error:
        _end(f"{cache} cannot be written: {error.strerror}; make room there, or set XDG_CACHE_HOME")
    return place


def _bundle(archive: zipfile.ZipFile, place: Path) -> "Path | None":
    """Write the bundle to a file, and return that; None where none is built in."""
    if "bundle.json" not in archive.namelist():
        return None
    data = archive.read("bundle.json")
    import hashlib

    target = place / f"bundle-{hashlib.sha256(data).hexdigest()[:16]}.json"
    if not target.exists():
        handle, draft = tempfile.mkstemp(dir=place)
        with open(handle, "wb") as stream:
            stream.write(data)
        os.replace(draft, target)
    return target


def _end(text: str) -> None:
    print(f"headrace: {text}", file=sys.stderr)  # noqa: T201 - nobody else is there to
    sys.exit(2)


if __name__ == "__main__":
    main()
