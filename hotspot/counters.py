"""Files in which a process counts, for a metrics server on the same machine to add up over all processes.

The files are those of prometheus-client's multiprocess mode, and its collector reads them. Its own counters are not
used: they add values one by one, and where their files are is settled for a whole process when it imports them.
"""

import contextlib
import os
import secrets
import threading
import weakref
from pathlib import Path
from typing import Any

import structlog
from prometheus_client.mmap_dict import MmapedDict, mmap_key

FOLDER = "metrics"
_FILE_OCTETS = 16 * 1024

_log = structlog.get_logger("metrics")


class Counters:
    """The counters of one process, in its part's own folder; without a folder to write in, none. Threads may share it."""

    def __init__(self, data_dir: Path, part: str) -> None:
        self._lock = threading.Lock()
        self._file = None
        try:
            path = claim_file(metrics_folder(data_dir, part), "counter", process_name(), _FILE_OCTETS)
            self._file = open_numbers(path)
            weakref.finalize(self, self._file.close)
        except OSError as error:
            _log.warning("no metrics", error=error.strerror)

    def add(self, name: str, text: str, count: float, **labels: str) -> None:
        """Add to a counter; 0 shows it before anything happens: one that appears with 1 never rose, for Prometheus."""
        key = mmap_key(name, f"{name}_total", list(labels), list(labels.values()), text)
        with self._lock:
            if self._file is not None:
                self._file.write_value(key, self._file.read_value(key)[0] + count, 0.0)


def metrics_folder(data_dir: Path, part: str = "") -> Path:
    """The folder of the numbers, or of one part's own, made at need; OSError when it cannot be."""
    folder = data_dir / FOLDER
    for one in (data_dir, folder, folder / part):
        one.mkdir(mode=0o700, parents=True, exist_ok=True)
    return folder / part


def process_name() -> str:
    """What a process calls its files: within one process there may be several."""
    return f"{os.getpid()}.{secrets.token_hex(4)}"


def open_numbers(path: Path) -> Any:
    """A file of numbers by key, which has `read_value`, `write_value` and `close`."""
    return MmapedDict(str(path))  # type: ignore[no-untyped-call]


def claim_file(folder: Path, kind: str, name: str, octets: int) -> Path:
    """A file to count in: one of a process that lives no more, to go on where it ended, or else a new one.

    It is allocated beforehand: a full disk would end who writes into a mapped hole.
    """
    path = folder / f"{kind}_{name}.db"
    for old in folder.glob(f"{kind}_*.db"):
        # Race: another new process may take it first.
        with contextlib.suppress(OSError):
            if not is_of_the_living(old):
                return old.rename(path)
    with path.open("xb") as file:
        os.posix_fallocate(file.fileno(), 0, octets)
    return path


def is_of_the_living(path: Path) -> bool:
    """Whether the process that a file is named after lives."""
    pid = path.name.rpartition("_")[2].partition(".")[0]
    try:
        os.kill(int(pid), 0)
    except (ProcessLookupError, ValueError, OverflowError):
        return False
    except PermissionError:
        return True
    return True
