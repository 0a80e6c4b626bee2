"""Run the scenarios on a stack of this process, and say of each in a line what became of it."""

import fnmatch
import random
from dataclasses import dataclass

from tests.faults.batch import BatchReport, play_batch
from tests.faults.scenarios import Scenario, Verdict, play, scenarios
from tests.faults.stage import stage

PROGRESS_EVERY = 25


@dataclass(frozen=True)
class Row:
    """One line of the table, and what it adds to the sum."""

    number: int
    text: str
    effect: str
    tried: int
    survived: int
    lost: int
    double_billed: int
    unexplained: int
    repaid: int
    extra_mails: int


def run_shard(number: int, of: int, *, only: str, sample: int, seed: int, batches: int) -> list[Row]:
    """Play every of-th scenario whose name fits, or of a sample of those, and every of-th batch."""
    rows = []
    with stage() as set_up:
        chosen = [scenario for scenario in scenarios(set_up) if fnmatch.fnmatch(scenario.name, only)]
        if sample:
            chosen = random.Random(seed).sample(chosen, min(sample, len(chosen)))
        for index in range(number, len(chosen), of):
            row = _row(index, chosen[index], play(set_up, chosen[index]))
            rows.append(row)
            if not row.survived:
                print(row.text, flush=True)
            if len(rows) % PROGRESS_EVERY == 0:
                print(f"... {index + 1} of {len(chosen)}", flush=True)
        for batch in range(number, batches, of):
            rows.append(_batch_row(len(chosen) + batch, play_batch(set_up, seed + batch)))
            print(rows[-1].text, flush=True)
    return rows


def _batch_row(number: int, report: BatchReport) -> Row:
    return Row(
        number=number,
        text=report.text,
        effect="",
        tried=report.recordings,
        survived=report.recordings - max(report.lost, int(bool(report.troubles))),
        lost=report.lost,
        double_billed=report.double_billed,
        unexplained=max(len(report.troubles) - report.lost - report.double_billed, 0),
        repaid=report.repaid,
        extra_mails=report.extra_mails,
    )


def _row(number: int, scenario: Scenario, verdict: Verdict) -> Row:
    paid = "/".join(str(count) for count in verdict.report.paid.values())
    troubles = [
        *(["lost"] if verdict.is_lost else []),
        *(f"paid twice: {service}" for service in verdict.double_billed),
        *verdict.unexplained,
    ]
    mark = "ok " if verdict.survived else "BAD"
    seen = f"{verdict.report.outcome:<12} mails {len(verdict.report.mails)} paid {paid}"
    return Row(
        number=number,
        text=f"{mark} {seen}  {scenario.name}{'  ' if troubles else ''}{'; '.join(troubles)}",
        effect=scenario.name.rpartition(":")[0],
        tried=1,
        survived=int(verdict.survived),
        lost=int(verdict.is_lost),
        double_billed=len(verdict.double_billed),
        unexplained=len(verdict.unexplained),
        repaid=verdict.repaid,
        extra_mails=verdict.extra_mails,
    )
