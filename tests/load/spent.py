"""CPU time of processes: unlike the time on the clock it hardly depends on who else keeps the machine busy."""

import os
from pathlib import Path

from tests.postgres import stat_fields

# Of the fields behind the program's name in /proc/PID/stat.
_PARENT, _OWN, _CHILDREN = 1, slice(11, 13), slice(13, 15)
_TICKS = os.sysconf("SC_CLK_TCK")


def cpu_seconds(root: int) -> float:
    """What a process, all below it, and those of them that have ended, have used so far."""
    fields = {
        int(entry.name): stat_fields(int(entry.name)) for entry in Path("/proc").iterdir() if entry.name.isdigit()
    }
    below: dict[int, list[int]] = {}
    for pid, told in fields.items():
        if told:
            below.setdefault(int(told[_PARENT]), []).append(pid)
    total, waiting = 0, [root]
    while waiting:
        pid = waiting.pop()
        waiting += below.get(pid, [])
        told = fields.get(pid) or []
        total += sum(map(int, (*told[_OWN], *told[_CHILDREN])))
    return total / _TICKS
