"""python -m tests.faults.leaks: how much was searched for leaks, and in the last line what was found: nothing."""

import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]


def main() -> int:
    """Print the number of places by kind, and every leak; return 1 if there is one."""
    from tests.faults.leak_search import needles, search, searched_stage  # the path is set first, see below
    from tests.sandbox.places import places

    with searched_stage() as (on, printed):
        searched, leaks = search([*places(on.stack.cloud), *printed], needles(on))
    for kind, count in sorted(searched.items()):
        print(f"{count:6} {kind}")
    for leak in leaks:
        print(f"LEAK: {leak}")
    print(f"leaks: searched {searched.total()} places, found {len(leaks)}")
    return int(bool(leaks))


if __name__ == "__main__":
    sys.path[:0] = [str(ROOT / "functions"), str(ROOT / "layers" / "callcoach")]
    sys.exit(main())
