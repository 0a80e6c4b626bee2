"""python -m tests.sandbox: the whole application on one machine, without AWS and without AssemblyAI."""

import argparse
import os
import signal
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]


def main(arguments: list[str]) -> int:
    """Run one command and return its exit code."""
    asked = _parser().parse_args(arguments)
    # A terminated command stops its children as an interrupted one does, also one that a shell has started in the
    # background, which ignores interrupts.
    for ending in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(ending, signal.default_int_handler)
    try:
        return int(asked.run(asked))
    except KeyboardInterrupt:
        return 130


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m tests.sandbox",
        description="callcoach on an embedded cloud: template.yaml itself, the real functions, real HTTP.",
    )
    commands = parser.add_subparsers(required=True, metavar="COMMAND")

    demo = commands.add_parser("demo", help="score the sample calls, or one of your own, and show every step")
    demo.add_argument("--out", type=Path, default=Path("out"), help="where the results are copied to (out)")
    demo.add_argument(
        "--recording", type=Path, help="your recording, by the real AssemblyAI with the key in ASSEMBLYAI_API_KEY"
    )
    demo.add_argument("--languages", action="store_true", help="the sample calls in other languages than English")
    demo.add_argument("--region", choices=("us", "eu"), default="us", help="of the real AssemblyAI (us)")
    demo.set_defaults(run=_demo)

    up = commands.add_parser("up", help="keep the cloud running for the aws command and your own experiments")
    up.add_argument(
        "--parameter", action="append", default=[], metavar="NAME=VALUE", help="a parameter of template.yaml"
    )
    up.add_argument("--out", type=Path, default=Path("out"), help="where the functions' logs go (out)")
    up.set_defaults(run=_up)

    assemblyai = commands.add_parser("assemblyai", help="serve the AssemblyAI stand-in alone")
    assemblyai.add_argument("--port", type=int, default=0, help="0 takes a free one (0)")
    assemblyai.add_argument("--api-key", default="sandbox-key", help="the key that it accepts (sandbox-key)")
    assemblyai.add_argument("--delay", type=float, default=2.0, metavar="SECONDS", help="per transcript (2)")
    assemblyai.set_defaults(run=_assemblyai)

    score = commands.add_parser("score", help="stored AssemblyAI transcripts -> scorecards, no cloud, no bill")
    score.add_argument("paths", nargs="+", type=Path, metavar="FILE_OR_DIR", help="transcripts as .json")
    score.add_argument(
        "--role", action="append", default=[], metavar="LABEL=ROLE", help='who is who, e.g. A="Sales Rep"'
    )
    score.add_argument("--out", type=Path, required=True, metavar="DIR", help="where the scorecards go")
    score.set_defaults(run=_score)
    return parser


# Each command imports what it needs: the cloud takes a second to import, and --help should not.


def _demo(asked: argparse.Namespace) -> int:
    from tests.sandbox.demo import demo

    return demo(
        asked.out, asked.recording, os.environ.get("ASSEMBLYAI_API_KEY"), asked.region, languages=asked.languages
    )


def _up(asked: argparse.Namespace) -> int:
    from tests.sandbox.demo import up

    return up(asked.out, _pairs(asked.parameter))


def _assemblyai(asked: argparse.Namespace) -> int:
    from tests.sandbox.assemblyai.server import serve_forever

    serve_forever(asked.port, asked.api_key, asked.delay)
    return 0


def _score(asked: argparse.Namespace) -> int:
    # The table is the output, not what the product logs.
    os.environ.setdefault("POWERTOOLS_LOG_LEVEL", "CRITICAL")
    from tests.sandbox.score import score

    missing = [str(path) for path in asked.paths if not path.exists()]
    if missing:
        print(f"there is no {', '.join(missing)}", file=sys.stderr)
        return 2
    return score(asked.paths, asked.out, _pairs(asked.role))


def _pairs(texts: list[str]) -> dict[str, str]:
    pairs = {}
    for text in texts:
        name, equals, value = text.partition("=")
        if not (name and equals):
            raise SystemExit(f"{text!r} is not of the form NAME=VALUE")
        pairs[name] = value
    return pairs


if __name__ == "__main__":
    sys.path[:0] = [str(ROOT / "functions"), str(ROOT / "layers" / "callcoach")]
    exit_code = main(sys.argv[1:])
    sys.stdout.flush()
    sys.stderr.flush()
    # All has been stopped. To give back by pieces what was imported takes a second or two.
    os._exit(exit_code)
