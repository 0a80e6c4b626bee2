"""make bench: the tables that show how well and how fast callcoach does what it says.

Each module here has run(), which returns one table. All rows go into out/bench.json, too.
"""

import argparse
import importlib
import os
import platform
import sys
import time
from pathlib import Path

HERE = Path(__file__).parent
ROOT = HERE.parents[1]
RESULTS = ROOT / "out" / "bench.json"


def main(arguments: list[str]) -> int:
    """Print the tables asked for, by default all."""
    # Imported here, where callcoach can be.
    from tests.benchmarks._table import in_words, write

    names = sorted(file.stem for file in HERE.glob("*.py") if not file.stem.startswith("_"))
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks", description="Print tables of measurements.")
    parser.add_argument("only", nargs="*", choices=[*names, []], metavar="NAME", help=f"of {', '.join(names)}")
    print(f"{_processor()}, {os.cpu_count()} cores, {platform.system()}, Python {platform.python_version()}")
    missed = 0
    for name in parser.parse_args(arguments).only or names:
        started = time.monotonic()
        table = importlib.import_module(f"tests.benchmarks.{name}").run()
        print(f"\n{name} ({time.monotonic() - started:.1f} s)\n")
        print(
            "\n".join([*table.lines, *([""] if table.lines and table.rows else []), *in_words(table.rows)]), flush=True
        )
        write(table.rows, RESULTS)
        missed += sum(row.met is False for row in table.rows)
    print(f"\nrows: {RESULTS.relative_to(ROOT)}; goals missed: {missed}")
    return 0


def _processor() -> str:
    cpuinfo = Path("/proc/cpuinfo")
    lines = cpuinfo.read_text().splitlines() if cpuinfo.exists() else []
    models = (line.partition(":")[2].strip() for line in lines if line.startswith("model name"))
    return next(models, platform.processor() or platform.machine())


if __name__ == "__main__":
    # The tables are the output, not what the product logs.
    os.environ.setdefault("POWERTOOLS_LOG_LEVEL", "CRITICAL")
    sys.path[:0] = [str(ROOT / "functions"), str(ROOT / "layers" / "callcoach")]
    sys.exit(main(sys.argv[1:]))
