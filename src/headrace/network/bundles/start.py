"""Where a client in one file begins: it runs on any Python from 3.11 on, with nothing else installed.

Compiled packages cannot be loaded from a zip file. So at the first start all of it is unpacked to the user's
cache, under the digest of its contents, and used from there ever after.
"""

import hashlib
import importlib
import json
import os
import shutil
import sys
import sysconfig
import tempfile
import zipfile
import zlib
from pathlib import Path
from typing import NoReturn

_READY = ".ready"
_USUAL = ["connect"]


def main() -> None:
    """Unpack if need be, and run the client with the bundle that is built in."""
    if sys.version_info < (3, 11):  # noqa: UP036 - whoever starts it may have any
        _end("this needs Python 3.11 or newer; start it with a newer python3")
    here = Path(sys.argv[0]).resolve()
    try:
        with zipfile.ZipFile(here) as archive:
            about = json.loads(archive.read("platform.json"))
            _insist_on_platform(about)
            cache = _cache()
            try:
                place = _unpacked(archive, cache, about["digest"])
                bundle = _bundle(archive, place)
            except OSError as error:
                _end(f"{cache} cannot be written: {error.strerror}; make room there, or set XDG_CACHE_HOME")
    except (zipfile.BadZipFile, zlib.error, EOFError):
        _end(f"{here.name} is damaged; get it once more")
    library = str(place / "lib")
    sys.path.insert(0, library)
    # The client goes on in a process of its own, which has to find the same.
    os.environ["PYTHONPATH"] = os.pathsep.join(filter(None, (library, os.environ.get("PYTHONPATH", ""))))
    if bundle is not None:
        os.environ.setdefault("HEADRACE_BUNDLE", str(bundle))
    sys.argv = [str(here), *(sys.argv[1:] or _USUAL)]
    try:
        cli = importlib.import_module("headrace.cli")
    except ImportError as error:
        _end(f"this machine cannot load what the file has: {error}. {_instead(about)}")
    cli.main()


def _insist_on_platform(about: "dict[str, str]") -> None:
    ours = sys.implementation.cache_tag, sysconfig.get_platform()
    if (about["python"], about["platform"]) == ours and about["extensions"] == _extensions():
        return
    version = about["python"].partition("cpython-3")[2]
    is_ours = about["platform"] == ours[1] and version
    _end(
        f"this file was made for {about['python']} on {about['platform']}, and here is {ours[0]} on"
        f" {ours[1]}. {f'Start it with python3.{version}, if there is one. ' if is_ours else ''}"
        f"{_instead(about)}"
    )


def _instead(about: "dict[str, str]") -> str:
    return (
        f"Install the same client with: python3 -m pip install headrace=={about['version']}"
        " - and use an access link: headrace connect LINK"
    )


def _extensions() -> str:
    """Return how compiled modules are called here; on Linux that tells C libraries apart, too."""
    return str(sysconfig.get_config_var("EXT_SUFFIX"))


def _cache() -> Path:
    """Return the directory that this user's files are unpacked to; nobody else may write there."""
    try:
        cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "headrace"
    except RuntimeError:
        _end("there is no home directory; set XDG_CACHE_HOME to a directory of yours")
    try:
        cache.mkdir(mode=0o700, parents=True, exist_ok=True)
        found = cache.stat()
    except OSError as error:
        _end(f"{cache} cannot be made: {error.strerror}; set XDG_CACHE_HOME to a directory of yours")
    if hasattr(os, "getuid") and (found.st_uid != os.getuid() or found.st_mode & 0o022):
        _end(f"others can write to {cache}, and could have this client run what they like; mend that first")
    return cache


def _unpacked(archive: zipfile.ZipFile, cache: Path, digest: str) -> Path:
    """Return where the file is unpacked to: all of it, or it is not there."""
    place = cache / digest[:32]
    if (place / _READY).exists():
        return place
    draft = Path(tempfile.mkdtemp(prefix="new-", dir=cache))
    try:
        print("unpacking, for the first start ...", file=sys.stderr)  # noqa: T201 - nobody else is there to
        fresh, old = draft / "fresh", draft / "old"
        archive.extractall(fresh, [name for name in archive.namelist() if name.startswith("lib/")])
        (fresh / _READY).touch()
        # Another may have done the same meanwhile, and be running from it; what is not whole makes way.
        if place.exists() and not (place / _READY).exists():
            place.rename(old)
        try:
            fresh.rename(place)
        except OSError:
            if not (place / _READY).exists():
                raise
    finally:
        shutil.rmtree(draft, ignore_errors=True)
    return place


def _bundle(archive: zipfile.ZipFile, place: Path) -> "Path | None":
    """Write the bundle to a file, and return that; None where none is built in."""
    if "bundle.json" not in archive.namelist():
        return None
    data = archive.read("bundle.json")
    target = place / f"bundle-{hashlib.sha256(data).hexdigest()[:16]}.json"
    if not target.exists():
        handle, draft = tempfile.mkstemp(dir=place)
        with open(handle, "wb") as stream:
            stream.write(data)
        os.replace(draft, target)
    return target


def _end(text: str) -> NoReturn:
    print(f"headrace: {text}", file=sys.stderr)  # noqa: T201 - nobody else is there to
    sys.exit(2)


if __name__ == "__main__":
    main()
