"""One file that runs: the client with all it needs, and a bundle, for a machine with a bare Python.

    #!/usr/bin/env python3
    zip:  __main__.py      the start: unpacks the rest once, into the user's cache, and runs it
          platform.json    what it was packed for, and the digest of lib/
          lib/…            the client's packages and those they need, compiled ones and licences too
          bundle.json      what is built in

Compiled packages are for one version of Python and one kind of machine: elsewhere the file says so, and what
to do. The same packages and the same bundle make the same file to the byte.
"""

import hashlib
import io
import json
import sys
import sysconfig
import zipfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from importlib.metadata import Distribution, PackageNotFoundError, distribution
from importlib.resources import files
from pathlib import Path, PurePosixPath
from typing import Final

import headrace
from headrace.base.errors import OperatorError

__all__ = ["Base", "make_archive", "pack_base"]

_SHEBANG: Final = b"#!/usr/bin/env python3\n"
_EARLIEST: Final = (1980, 1, 1, 0, 0, 0)

#: Rooms that no user needs.
_LEFT_OUT: Final = ("network", "resist", "server", "testing", "demo")
#: Commands that are of no use without them.
_COMMANDS_LEFT_OUT: Final = ("network", "resist.py", "demo.py", "server*.py")
_LICENSES: Final = ("LICENSE", "LICENCE", "COPYING", "NOTICE", "AUTHORS")
_NO_CODE: Final = (".pyc", ".pyi", ".pyx", ".pxd", ".c", ".h", ".a", ".typed")


@dataclass(frozen=True, slots=True)
class Base:
    """The client without a bundle: the same for all."""

    data: bytes = field(repr=False)
    digest: str  #: of what is unpacked


def pack_base(progress: Callable[[int, int | None], None] = lambda _done, _total: None) -> Base:
    """Pack the client that is installed here, with all that it needs. Raises OperatorError."""
    members = dict(sorted(_members()))
    digest = hashlib.sha256()
    for name, data in members.items():
        digest.update(f"{name}\0{len(data)}\0".encode() + data)
    about = {
        "version": headrace.__version__,
        "digest": digest.hexdigest(),
        "python": sys.implementation.cache_tag,
        "platform": sysconfig.get_platform(),
        "extensions": str(sysconfig.get_config_var("EXT_SUFFIX")),
    }
    out = io.BytesIO()
    out.write(_SHEBANG)
    with zipfile.ZipFile(out, "a", zipfile.ZIP_DEFLATED, compresslevel=6) as archive:
        start = files(__package__).joinpath("start.py").read_bytes()
        _write(archive, "__main__.py", start)
        _write(archive, "platform.json", json.dumps(about, sort_keys=True).encode())
        for number, (name, data) in enumerate(members.items()):
            progress(number, len(members))
            _write(archive, name, data)
        progress(len(members), len(members))
    return Base(out.getvalue(), about["digest"])


def make_archive(base: Base, bundle: bytes) -> bytes:
    """Return the file that runs, with a bundle built in."""
    out = io.BytesIO(base.data)
    out.seek(0, io.SEEK_END)
    with zipfile.ZipFile(out, "a", zipfile.ZIP_DEFLATED, compresslevel=6) as archive:
        _write(archive, "bundle.json", bundle)
    return out.getvalue()


def _write(archive: zipfile.ZipFile, name: str, data: bytes) -> None:
    info = zipfile.ZipInfo(name, _EARLIEST)
    info.compress_type = zipfile.ZIP_DEFLATED
    info.external_attr = 0o644 << 16
    archive.writestr(info, data)


def _members() -> Iterator[tuple[str, bytes]]:
    source = Path(headrace.__file__).parent
    for path in source.rglob("*"):
        inner = path.relative_to(source)
        if path.is_file() and _is_code(inner) and not _is_left_out(inner):
            yield f"lib/headrace/{inner.as_posix()}", path.read_bytes()
    for inner, path in _installed(distribution("headrace")):
        if _is_license(inner):
            yield f"lib/{inner.as_posix()}", path.read_bytes()
    for found in _needed("headrace"):
        for inner, path in _installed(found):
            if _is_license(inner) or (_is_code(inner) and not _is_test(inner)):
                yield f"lib/{inner.as_posix()}", path.read_bytes()


def _installed(found: Distribution) -> Iterator[tuple[Path, Path]]:
    """Yield the files of a package: by which name it can be imported, and where it is."""
    for each in found.files or ():
        inner = Path(each)
        # Else it is a command, say, which lies elsewhere.
        if ".." not in inner.parts and not inner.is_absolute():
            yield inner, Path(str(found.locate_file(each)))


def _needed(name: str) -> Iterator[Distribution]:
    """Yield the installed packages that another needs here, and that these need, each once."""
    from packaging.requirements import Requirement

    seen: set[str] = set()
    waiting = [name]
    while waiting:
        for text in distribution(waiting.pop()).requires or ():
            requirement = Requirement(text)
            key = requirement.name.lower().replace("_", "-")
            if key in seen or (requirement.marker and not requirement.marker.evaluate({"extra": ""})):
                continue
            seen.add(key)
            try:
                yield distribution(requirement.name)
            except PackageNotFoundError:
                raise OperatorError(
                    f"{requirement.name} is not installed here, and clients need it"
                ) from None
            waiting.append(requirement.name)


def _is_code(path: Path) -> bool:
    """True for what a program needs when it runs."""
    return (
        "__pycache__" not in path.parts
        and not path.name.endswith(_NO_CODE)
        and not path.parts[0].endswith((".dist-info", ".data"))
    ) or path.name in ("METADATA", "entry_points.txt")


def _is_license(path: Path) -> bool:
    """True for what has to be passed on with a package."""
    return path.parts[0].endswith(".dist-info") and (
        "licenses" in path.parts or path.name.upper().startswith(_LICENSES)
    )


def _is_left_out(path: Path) -> bool:
    room = path.parts[0]
    if room == "cli":
        return any(PurePosixPath(path.parts[1]).match(pattern) for pattern in _COMMANDS_LEFT_OUT)
    return room in _LEFT_OUT


def _is_test(path: Path) -> bool:
    return any(part in ("tests", "test", "_tests") for part in path.parts[:-1])
