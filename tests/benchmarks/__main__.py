"""make bench: the tables that show how well callcoach does what it says. Each module here has run(), one table."""

import argparse
import importlib
import os
import sys
import time
from pathlib import Path

HERE = Path(__file__).parent
ROOT = HERE.parents[1]


def main(arguments: list[str]) -> int:
    """Print the tables asked for, by default all."""
    names = sorted(file.stem for file in HERE.glob("*.py") if not file.stem.startswith("_"))
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks", description="Print tables of measurements.")
    parser.add_argument("only", nargs="*", choices=[*names, []], metavar="NAME", help=f"of {', '.join(names)}")
    for name in parser.parse_args(arguments).only or names:
        started = time.monotonic()
        lines = importlib.import_module(f"tests.benchmarks.{name}").run()
        print(f"\n{name} ({time.monotonic() - started:.1f} s)\n")
        print("\n".join(lines), flush=True)
    return 0


if __name__ == "__main__":
    # The tables are the output, not what the product logs.
    os.environ.setdefault("POWERTOOLS_LOG_LEVEL", "CRITICAL")
    sys.path[:0] = [str(ROOT / "functions"), str(ROOT / "layers" / "callcoach")]
    sys.exit(main(sys.argv[1:]))
