"""The spool keeps what it has taken, through crashes at any byte, full disks and damaged files."""

import errno
import os
import resource
import secrets
import stat
import struct
import tempfile
import threading
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from hotspot.keys import Keyring, Purpose
from radius import segments
from radius.spool import Spool, Spooled, count_set_aside
from tests.conftest import NOON

KEYRING = Keyring({purpose: ((1, secrets.token_bytes(32)),) for purpose in Purpose})
STRANGER = Keyring({purpose: ((1, bytes(32)),) for purpose in Purpose})


def entry(number: int, octets: int = 40) -> Spooled:
    source = "2001:db8::7" if number % 2 else "192.0.2.7"
    return Spooled(NOON + timedelta(microseconds=number), number, source, struct.pack("!I", number) * (octets // 4))


def entries(*numbers: int) -> list[Spooled]:
    return [entry(number) for number in numbers]


def only_file(folder: Path) -> Path:
    (path,) = folder.iterdir()
    return path


def take_over(folder: Path, keyring: Keyring = KEYRING) -> Spool:
    """The spool of a process that comes after the one before it has gone."""
    spool = Spool(folder, "next", keyring)
    spool.adopt_orphans()
    return spool


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "data" / "spool"


@pytest.fixture
def spool(folder: Path) -> Iterator[Spool]:
    spool = Spool(folder, "worker-1", KEYRING)
    yield spool
    spool.close()


def test_entries_come_out_as_they_went_in_and_in_order(spool: Spool) -> None:
    spool.append(entries(1, 2))
    spool.append([Spooled(NOON, 3, "192.0.2.9", secrets.token_bytes(4095))])
    assert spool.depth == 3
    assert spool.oldest(2) == entries(1, 2)
    spool.drop(2)
    (left,) = spool.oldest(10)
    assert (left.nas_id, len(left.octets), spool.depth) == (3, 4095, 1)


def test_the_depth_is_right_after_each_step(spool: Spool) -> None:
    spool.append(entries(1, 2, 3))
    spool.append(entries(4))
    depths = []
    while spool.oldest(1):
        depths.append(spool.depth)
        spool.drop(1)
    assert depths == [4, 3, 2, 1]
    assert spool.depth == 0


def test_the_depth_is_told_while_another_thread_has_the_spool(spool: Spool) -> None:
    spool.append(entries(1, 2))
    told: list[int] = []
    thread = threading.Thread(target=lambda: told.append(spool.depth), daemon=True)
    with spool._lock:
        thread.start()
        thread.join(5)
        assert told == [2]


def test_adopting_a_long_file_keeps_nobody_waiting(spool: Spool, monkeypatch: pytest.MonkeyPatch) -> None:
    adopting, go_on = threading.Event(), threading.Event()

    def adopt(_path: Path) -> None:
        adopting.set()
        go_on.wait(5)

    spool.append(entries(1))
    monkeypatch.setattr("radius.spool.Segment.adopt", adopt)
    adopter = threading.Thread(target=spool.adopt_orphans)
    adopter.start()
    assert adopting.wait(5)
    appender = threading.Thread(target=spool.append, args=(entries(2),))
    appender.start()
    appender.join(2)
    assert not appender.is_alive()
    go_on.set()
    adopter.join(5)
    assert spool.oldest(9) == entries(1, 2)


def test_what_is_read_but_not_dropped_is_read_again(spool: Spool) -> None:
    spool.append(entries(1, 2, 3))
    assert spool.oldest(2) == spool.oldest(2) == entries(1, 2)
    spool.drop(1)
    assert spool.oldest(9) == entries(2, 3)
    with pytest.raises(ValueError, match="more entries"):
        spool.drop(3)


def test_nobody_else_can_read_the_files_and_they_hold_nothing_in_clear(spool: Spool, folder: Path) -> None:
    spool.append([Spooled(NOON, 1, "192.0.2.7", b"02-00-00-00-00-01")])
    path = only_file(folder)
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert b"02-00" not in path.read_bytes()
    assert b"192.0.2.7" not in path.read_bytes()


def test_a_file_is_removed_once_emptied_and_the_next_entry_begins_another(spool: Spool, folder: Path) -> None:
    spool.append(entries(1))
    spool.oldest(1)
    spool.drop(1)
    assert list(folder.iterdir()) == []
    spool.append(entries(2))
    assert spool.oldest(9) == entries(2)


def test_under_endless_load_the_files_read_are_removed(
    spool: Spool, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("radius.spool._SEGMENT_OCTETS", 300)
    for number in range(0, 100, 2):
        spool.append(entries(number, number + 1))
        if number:
            assert spool.oldest(2) == entries(number - 2, number - 1)
            spool.drop(2)
        assert len(list(folder.iterdir())) <= 3


def test_a_process_takes_over_what_one_that_is_gone_has_left_and_reads_it_first(spool: Spool, folder: Path) -> None:
    spool.append(entries(1, 2))
    spool.oldest(1)
    spool.drop(1)
    spool.close()
    later = Spool(folder, "worker-2", KEYRING)
    later.append(entries(3))
    later.close()
    successor = Spool(folder, "worker-1", KEYRING)
    successor.append(entries(4))
    assert successor.adopt_orphans() == 2
    assert successor.oldest(9) == entries(2, 3, 4)
    successor.drop(3)
    assert list(folder.iterdir()) == []
    successor.close()


def test_the_files_of_a_living_process_are_left_alone(spool: Spool, folder: Path) -> None:
    spool.append(entries(1))
    other = Spool(folder, "worker-2", KEYRING)
    assert other.adopt_orphans() == 0
    assert other.depth == 0
    assert spool.adopt_orphans() == 0
    assert spool.oldest(9) == entries(1)


def test_entries_read_before_orphans_were_adopted_can_still_be_dropped(spool: Spool, folder: Path) -> None:
    left = Spool(folder, "gone", KEYRING)
    left.append(entries(1))
    left.close()
    spool.append(entries(2, 3))
    spool.oldest(1)
    spool.adopt_orphans()
    spool.drop(1)
    assert spool.oldest(9) == entries(1, 3)


def test_a_disk_that_takes_only_half_is_an_error_and_the_half_is_never_read(spool: Spool, folder: Path) -> None:
    spool.append(entries(1))
    room = only_file(folder).stat().st_size + 150
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (room, hard))
    try:
        with pytest.raises(OSError, match="large") as raised:
            spool.append(entries(2, 3, 4))
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert raised.value.errno == errno.EFBIG
    spool.append(entries(5))
    assert spool.oldest(9) == entries(1, 5)
    spool.close()
    assert take_over(folder).oldest(9) == entries(1, 5)


def test_a_sync_that_fails_is_an_error_and_nothing_of_it_is_read(
    spool: Spool, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(_fd: int) -> None:
        raise OSError(errno.EIO, "broken")

    with monkeypatch.context() as patch:
        patch.setattr("radius.segments.os.fdatasync", broken)
        with pytest.raises(OSError, match="broken"):
            spool.append(entries(1))
    assert (spool.depth, list(folder.iterdir())) == (0, [])
    spool.append(entries(2))
    assert spool.oldest(9) == entries(2)


def test_a_full_spool_refuses(spool: Spool, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("radius.spool.MOST_OCTETS", 400)
    spool.append(entries(1, 2))
    with pytest.raises(OSError, match="full"):
        spool.append(entries(3, 4))
    assert spool.depth == 2


def test_a_damaged_entry_costs_no_other(spool: Spool, folder: Path) -> None:
    spool.append(entries(1, 2, 3))
    spool.close()
    path = only_file(folder)
    octets = bytearray(path.read_bytes())
    for at in range(segments.FIRST_FRAME, len(octets)):
        damaged = octets.copy()
        damaged[at] ^= 0x55
        path.write_bytes(damaged)
        successor = take_over(folder)
        read = successor.oldest(9)
        assert len(read) == 2
        assert [one for one in entries(1, 2, 3) if one in read] == read
        successor.close()


def test_damage_that_comes_after_the_count_does_not_keep_the_file_for_ever(spool: Spool, folder: Path) -> None:
    spool.append(entries(1))
    path = only_file(folder)
    path.write_bytes(path.read_bytes()[: segments.FIRST_FRAME] + bytes(200))
    assert spool.oldest(9) == []
    assert (spool.depth, list(folder.iterdir())) == (0, [])


@pytest.mark.parametrize("ours", [0, 1, 2])
def test_what_our_keys_do_not_open_is_set_aside_and_holds_up_nobody(
    folder: Path, ours: int, capsys: pytest.CaptureFixture[str]
) -> None:
    writer = Spool(folder, "gone", KEYRING)
    writer.append(entries(*range(ours)))
    writer._keyring = STRANGER
    writer.append(entries(7, 8))
    writer.close()
    octets = only_file(folder).read_bytes()
    own = Spool(folder, "next", KEYRING)
    own.append(entries(9))
    own.adopt_orphans()
    assert own.oldest(9) == own.oldest(9) == entries(*range(ours), 9)
    own.drop(ours + 1)
    assert own.oldest(9) == []
    assert own.depth == 0
    assert capsys.readouterr().out.count("spool file unreadable") == 1
    path = only_file(folder)
    assert path.suffix == segments.UNREADABLE
    assert path.read_bytes()[segments.FIRST_FRAME :] == octets[segments.FIRST_FRAME :]
    assert count_set_aside(folder) == 1
    own.close()


def test_a_file_set_aside_is_read_with_the_right_keys_once_it_is_called_a_spool_again(folder: Path) -> None:
    writer = Spool(folder, "gone", STRANGER)
    writer.append(entries(1, 2))
    writer.close()
    wrong = take_over(folder)
    assert wrong.oldest(9) == []
    assert wrong.adopt_orphans() == 0
    path = only_file(folder)
    path.rename(path.with_suffix(segments.SUFFIX))
    assert take_over(folder, STRANGER).oldest(9) == entries(1, 2)


def test_what_is_rejected_is_kept_in_a_file_that_is_not_replayed_before_it_is_renamed(
    spool: Spool, folder: Path
) -> None:
    spool.append(entries(0))
    spool.reject(entries(1, 2))
    spool.reject(entries(3))
    path = folder / "worker-1.rejected"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert b"192.0.2.7" not in path.read_bytes()
    other = take_over(folder)
    assert other.depth == 0
    assert count_set_aside(folder) == 1
    path.rename(path.with_suffix(segments.SUFFIX))
    assert other.adopt_orphans() == 3
    assert other.oldest(9) == entries(1, 2, 3)
    with pytest.raises(OSError, match="in use"):
        segments.keep_apart(path.with_suffix(segments.SUFFIX), b"x")
    spool.reject(entries(4))
    assert other.oldest(9) == entries(1, 2, 3)
    other.close()


def test_rubbish_longer_than_a_read_is_passed_over(spool: Spool, folder: Path) -> None:
    spool.append([entry(number, 4000) for number in range(600)])
    spool.close()
    path = only_file(folder)
    octets = path.read_bytes()
    path.write_bytes(octets[:1000] + bytes(3 << 20) + octets[1000:])
    read = take_over(folder).oldest(1000)
    assert read == [entry(number, 4000) for number in range(1, 600)]


@pytest.fixture
def sync_cost(monkeypatch: pytest.MonkeyPatch) -> None:
    """Hypothesis asks thousands of times, and no power fails here."""
    monkeypatch.setattr("radius.segments.os.fdatasync", lambda fd: None)
    monkeypatch.setattr("radius.segments.os.fsync", lambda fd: None)


BATCHES = st.lists(st.tuples(st.integers(1, 2), st.integers(0, 2)), min_size=1, max_size=3)
TAILS = st.sampled_from([b"", bytes(700), b"\xf1SPL" + bytes(30), secrets.token_bytes(80)])


@pytest.mark.usefixtures("sync_cost")
@hypothesis_settings(max_examples=8)
@given(batches=BATCHES, tail=TAILS)
def test_a_crash_at_any_byte_loses_nothing_acknowledged_and_invents_nothing(
    batches: list[tuple[int, int]], tail: bytes
) -> None:
    """After each step the file is cut at every byte that the step wrote; what follows the cut is what disks leave there."""
    with tempfile.TemporaryDirectory() as name:
        spool = Spool(Path(name) / "spool", "worker", KEYRING)
        written, dropped = 0, 0
        before = b""
        for size, drops in batches:
            spool.append(entries(*range(written, written + size)))
            after = _content(Path(name))
            for cut in range(len(before), len(after) + 1):
                least = written + (size if cut == len(after) else 0)
                _crash(after[:cut] + tail, range(dropped, least), written + size)
            written += size
            spool.oldest(drops)
            spool.drop(min(drops, spool.depth))
            before, after = after, _content(Path(name))
            for cut in range(segments.FIRST_FRAME + 1) if after else ():
                _crash(
                    after[:cut] + before[cut:], range(min(written, dropped + drops), written), written, least=dropped
                )
            dropped, before = min(written, dropped + drops), after
        spool.close()


def _content(folder: Path) -> bytes:
    files = list((folder / "spool").iterdir())
    return files[0].read_bytes() if files else b""


def _crash(octets: bytes, owed: range, most: int, least: int | None = None) -> None:
    """What a successor reads of such a file: all that is owed, in order, from no earlier than `least`."""
    with tempfile.TemporaryDirectory() as name:
        (Path(name) / f"worker.1.0000000001{segments.SUFFIX}").write_bytes(octets)
        successor = take_over(Path(name))
        read = [one.nas_id for one in successor.oldest(99)]
        assert successor.oldest(99) == entries(*read)
        assert successor.depth == len(read)
        successor.drop(len(read))
        assert os.listdir(name) == []
        successor.close()
    first = read[0] if read else owed.start
    assert (owed.start if least is None else least) <= first <= owed.start
    assert read == list(range(first, first + len(read)))
    assert set(owed) <= set(read)
    assert all(one < most for one in read)


@pytest.mark.usefixtures("sync_cost")
def test_a_position_torn_while_it_is_written_replays_rather_than_loses(spool: Spool, folder: Path) -> None:
    spool.append(entries(*range(7)))
    before = only_file(folder).read_bytes()
    for dropped in range(6):
        spool.oldest(1)
        spool.drop(1)
        after = only_file(folder).read_bytes()
        for cut in range(segments.FIRST_FRAME):
            _crash(after[:cut] + before[cut:], range(dropped + 1, 7), 7, least=dropped)
        before = after
