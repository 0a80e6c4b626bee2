"""A short run of `make faults`: one batch in a storm."""

from tests.faults.batch import play_batch
from tests.faults.stage import stage

SEED = 20261125


def test_batch_in_a_storm_comes_out_whole() -> None:
    # Two runs of each recording at once; a kill ends them all, and each process that begins costs a third of a second.
    with stage(parameters={"MaximumConcurrency": "8"}) as set_up:
        report = play_batch(set_up, SEED, recordings=4)
    assert report.faults > 0
    assert not report.troubles, report
