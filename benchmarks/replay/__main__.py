"""The command: `python -m benchmarks.replay --help`."""

from __future__ import annotations

import argparse
import os
import sys

import django

from .datasets import DATASETS, data_folder


def main(arguments: list[str]) -> int:
    options = parsed(arguments)
    folder = data_folder()
    if folder is None:
        print("There is no data here: set LEADROUTER_DATA to the folder of the data sets. Nothing was replayed.")
        return 0
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "leadrouter.settings")
    django.setup()
    from .report import live_through  # the tables can be imported only now

    broken = 0
    for name in DATASETS if options.dataset == "all" else [options.dataset]:
        broken += live_through(
            DATASETS[name](folder), leads=options.leads, http=options.http, database=options.database
        )
    print("ok" if not broken else f"{broken} violations")
    return 1 if broken else 0


def parsed(arguments: list[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.replay", description="Replay real leads at their own instants, and check everything."
    )
    parser.add_argument("dataset", nargs="?", default="all", choices=[*DATASETS, "all"])
    parser.add_argument("--leads", type=int, default=None, help="only the first so many leads of each data set")
    parser.add_argument("--http", type=int, default=200, help="the last so many of them go through the API (200)")
    parser.add_argument("--database", default="leadrouter_replay", help="made beside the configured one, and dropped")
    return parser.parse_args(arguments)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
