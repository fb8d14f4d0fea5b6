"""The process that reads one workbook from its standard input, and has no more memory and time than it is given.

`python -m routing.spreadsheets.workbook_process LIMITS` answers with lines of JSON: blocks of rows, and at last an object
that says what came of it. It knows the standard library alone, no settings and no secrets.
"""

from __future__ import annotations

import io
import json
import resource
import signal
import sys

from .workbook import MIB, WorkbookFault, WorkbookLimits, blocks_of_rows, check_directory


def main() -> None:
    limits = WorkbookLimits(**json.loads(sys.argv[1]))
    confine(limits)
    end: dict[str, object] = {}
    try:
        data = sys.stdin.buffer.read()
        check_directory(data, limits)
        for block in blocks_of_rows(io.BytesIO(data), limits):
            tell(block)
    except WorkbookFault as fault:
        end = {"fault": fault.code, "values": fault.told}
    except MemoryError:
        end = {"fault": "memory", "values": {"size": limits.memory}}
    tell(end)


def tell(value: object) -> None:
    sys.stdout.buffer.write(json.dumps(value).encode() + b"\n")
    sys.stdout.buffer.flush()


def confine(limits: WorkbookLimits) -> None:
    """Take from this process what it does not need: it is ended by the system when it goes beyond."""
    signal.pthread_sigmask(signal.SIG_SETMASK, ())
    for number in (signal.SIGXCPU, signal.SIGALRM):
        signal.signal(number, signal.SIG_DFL)
    signal.alarm(limits.waiting)
    for kind, most in (
        (resource.RLIMIT_AS, limits.memory * MIB),
        (resource.RLIMIT_CPU, limits.seconds),
        (resource.RLIMIT_FSIZE, 0),
        (resource.RLIMIT_CORE, 0),
    ):
        _, hard = resource.getrlimit(kind)
        if hard == resource.RLIM_INFINITY or most < hard:
            resource.setrlimit(kind, (most, hard))


if __name__ == "__main__":
    main()
