"""make calibrate: how far a real language model's levels agree with those that are expected of written calls."""

import argparse
import datetime as dt
import json
import os
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

ROOT = Path(__file__).parents[2]
GATEWAYS = {"us": "https://llm-gateway.assemblyai.com", "eu": "https://llm-gateway.eu.assemblyai.com"}
DEFAULT_MODEL = "claude-sonnet-4-6"


def main(arguments: Sequence[str], *, api_key: str, answer: Callable[[str], str] = input) -> int:
    """Ask what is not answered yet, and print how far the levels agree.

    Return 2 when nothing can be asked, or somebody says no; 1 when an answer is still missing.
    """
    from tests.calibration.asking import Answered, Asking, Unaskable
    from tests.calibration.calls import calibration_calls
    from tests.calibration.results import markdown, results_of, table

    from callcoach.pricing import about_usd

    wanted = _parser().parse_args(arguments)
    if not api_key:
        print(
            "A real language model is asked, by AssemblyAI's LLM Gateway.\n"
            "Set ASSEMBLYAI_API_KEY to a key of an account with access to it.",
            file=sys.stderr,
        )
        return 2
    asking = Asking(
        model=wanted.model,
        runs=wanted.runs,
        api_key=api_key,
        gateway_url=wanted.endpoint_url or GATEWAYS[wanted.region],
        requests_per_minute=wanted.requests_per_minute,
        kept=wanted.out / "calibration",
    )
    questions = asking.questions(calibration_calls())
    kept = [found for asked in questions if (found := asking.kept_answer(asked))]
    answered = {(found.asked.call.name, found.asked.run) for found in kept}
    missing = [asked for asked in questions if (asked.call.name, asked.run) not in answered]
    print(
        f"{len(questions)} questions to {wanted.model}: {len(kept)} are answered already, {len(missing)} are missing."
    )

    def tell(number: int, found: Answered) -> None:
        reason = (found.scorecard.status_reason or "judged") if found.scorecard else f"no answer: {found.fault}"
        print(f"{number:>3}/{len(missing)}  {found.asked.call.name}, run {found.asked.run}: {reason}", flush=True)

    if missing:
        print(f"That takes {about_usd(asking.estimated_cost(missing))}; an answer to be repaired takes twice as much.")
        if not wanted.yes and answer("Ask? [y/N] ").strip().lower() not in ("y", "yes"):
            print("Nothing was asked.")
            return 2
    try:
        answers = kept + asking.ask(missing, tell)
    except Unaskable as refusal:
        print(refusal, file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print("\nStopped. What was paid for is kept; the same command goes on from there.", file=sys.stderr)
        return 130
    results = results_of(
        answers, model=wanted.model, runs=wanted.runs, endpoint=wanted.endpoint_url, day=dt.datetime.now(dt.UTC).date()
    )
    (wanted.out / "calibration.json").write_text(json.dumps(results, indent=1) + "\n", "utf-8")
    (wanted.out / "calibration.md").write_text(markdown(results), "utf-8")
    print("\n".join(["", *table(results), "", markdown(results)]), end="")
    print(f"\n{wanted.out}/calibration.json holds the levels, {wanted.out}/calibration.md the block above,", end="")
    print(f" {wanted.out}/calibration/ every answer that was paid for.")
    if any(found.scorecard is None for found in answers):
        print("Answers are missing; the same command asks for them again.", file=sys.stderr)
        return 1
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m tests.calibration",
        description="Ask a real language model about the calls of tests/data/calibration as ScorecardFunction does, and"
        " print how far its levels agree with the expected ones. What was answered before is not paid for again.",
    )
    parser.add_argument("--model", default=DEFAULT_MODEL, help=f"of LLM Gateway ({DEFAULT_MODEL})")
    parser.add_argument("--runs", type=_count, default=3, help="how often each call is asked about (3)")
    parser.add_argument("--region", choices=tuple(GATEWAYS), default="us", help="of the key (us)")
    parser.add_argument(
        "--requests-per-minute", type=_count, default=30, metavar="N", help="the account's limit for a model (30)"
    )
    parser.add_argument("--endpoint-url", default="", metavar="URL", help="asked in place of AssemblyAI")
    parser.add_argument("--out", type=Path, default=Path("out"), help="where answers and results go (out)")
    parser.add_argument("--yes", action="store_true", help="ask without a question about the cost")
    return parser


def _count(text: str) -> int:
    if not text.isdecimal() or not int(text):
        raise argparse.ArgumentTypeError(f"{text!r} is no number of at least 1")
    return int(text)


if __name__ == "__main__":
    # The table is the output, not what the product logs.
    os.environ.setdefault("POWERTOOLS_LOG_LEVEL", "CRITICAL")
    sys.path[:0] = [str(ROOT / "functions"), str(ROOT / "layers" / "callcoach")]
    sys.exit(main(sys.argv[1:], api_key=os.environ.get("ASSEMBLYAI_API_KEY", "")))
