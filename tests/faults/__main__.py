"""make faults: every fault at every request, the table of what became of it, and the sum in the last line."""

import argparse
import os
import sys
import time
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]


def main(arguments: Sequence[str]) -> int:
    """Run the scenarios asked for, by default all; return 1 unless all were survived."""
    parser = argparse.ArgumentParser(prog="python -m tests.faults", description="Break every request in every way.")
    parser.add_argument("--only", default="*", metavar="PATTERN", help="names of scenarios, with * for any text")
    parser.add_argument("--sample", type=int, default=0, metavar="N", help="so many of them, chosen by the seed")
    parser.add_argument("--seed", type=int, default=1, help="chooses the sample and drives the batches (default 1)")
    parser.add_argument("--batches", type=int, default=4, help="batches in a storm, with as many seeds (default 4)")
    # Most of the time a stack waits.
    parser.add_argument("--workers", type=int, default=2 * (os.cpu_count() or 1), help="stacks at a time")
    asked = parser.parse_args(arguments)
    from tests.faults.enumeration import run_shard  # the path is set first, see below

    started = time.monotonic()
    print(f"seed {asked.seed}", flush=True)
    with ProcessPoolExecutor(asked.workers, mp_context=get_context("spawn")) as pool:
        shards = [
            pool.submit(
                run_shard,
                number,
                asked.workers,
                only=asked.only,
                sample=asked.sample,
                seed=asked.seed,
                batches=asked.batches if asked.only == "*" else 0,
            )
            for number in range(asked.workers)
        ]
        rows = [row for shard in shards for row in shard.result()]
    for row in sorted(rows, key=lambda row: row.number):
        print(row.text)
    tried, survived = sum(row.tried for row in rows), sum(row.survived for row in rows)
    requests = len({row.effect for row in rows if row.effect})
    print(f"\n{time.monotonic() - started:.0f} s, {requests} requests of the functions")
    print(
        f"{sum(row.repaid for row in rows)} answers were paid for again: each was lost with the connection or the "
        "process that received it, before anything could keep it.\n"
        f"{sum(row.extra_mails for row in rows)} e-mails were sent again: the run was cut off between its e-mail and "
        "the note of it."
    )
    print(
        f"faults: tried {tried}, survived {survived}, lost {sum(row.lost for row in rows)}, "
        f"double-billed {sum(row.double_billed for row in rows)}, unexplained {sum(row.unexplained for row in rows)}"
    )
    return int(survived < tried or not tried)


if __name__ == "__main__":
    sys.path[:0] = [str(ROOT / "functions"), str(ROOT / "layers" / "callcoach")]
    sys.exit(main(sys.argv[1:]))
