"""`make chaos`: a long chaos run, and the table of what was hit and what came of it.

make chaos                                             20,000 requests, 200 hits
make chaos ARGS="--leads 5000 --hits 60 --seed 7"
make chaos CONTROL=no-lock                             broken on purpose: the checker must turn red
"""

from __future__ import annotations

import argparse
import sys

from .controls import CONTROLS
from .run import chaos


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--leads", type=int, default=20_000, help="requests of intake")
    parser.add_argument("--hits", type=int, default=200)
    parser.add_argument(
        "--seconds", type=float, default=700, help="over which they are spread, if answers come in time"
    )
    parser.add_argument("--longest", type=float, default=0, help="seconds after which no more is sent")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--logs", default="", help="a folder to copy the logs into")
    parser.add_argument("--control", choices=CONTROLS, default="none")
    options = parser.parse_args()
    outcome = chaos(**vars(options))
    print(*outcome.lines(), sep="\n", flush=True)
    if options.control == "none":
        print("green: every promise was kept" if outcome.verdict.green else "RED: promises were broken")
        return 0 if outcome.verdict.green else 1
    seen = any(outcome.verdict.faults[promise] for promise in CONTROLS[options.control].promises)
    print(f"control {options.control}: " + ("red, as it must be" if seen else "GREEN: the checker is blind to it"))
    return 0 if seen else 1


if __name__ == "__main__":
    sys.exit(main())
