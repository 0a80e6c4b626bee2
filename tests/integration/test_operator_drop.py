"""python -m callcoach drop: recordings into their bucket, with what is known about the calls."""

import json
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from tests.integration.operator_commands import Ran, role_with, run
from tests.integration.stack import SOUND, Stack, running_stack


@pytest.fixture(scope="module")
def stack() -> Iterator[Stack]:
    """A stack whose functions run only when a test says so, and whose recordings lie under a prefix."""
    with running_stack(invoke=False, delay_seconds=0.05, parameters={"RecordingsPrefix": "calls/"}) as running:
        yield running


@pytest.fixture(autouse=True)
def _no_messages_of_other_tests(stack: Stack) -> None:
    stack.cloud.empty("RecordingsQueue")


def drop(stack: Stack, *arguments: object) -> Ran:
    return run(stack.cloud, "drop", "--json", *map(str, arguments))


def stored(stack: Stack, key: str) -> Any:
    return stack.cloud.client("s3").get_object(Bucket=stack.cloud.outputs["RecordingsBucketName"], Key=key)


def recording(folder: Path, name: str, body: bytes = b"sound") -> Path:
    path = folder / name
    path.write_bytes(body)
    return path


def test_a_dropped_file_is_submitted_with_all_that_was_said(stack: Stack, tmp_path: Path) -> None:
    path = tmp_path / "é&1.ogg"
    shutil.copy(SOUND, path)
    said = (
        "--rep",
        "Zoë Müller",
        "--customer",
        "Acme",
        "--team",
        "North",
        "--call-type",
        "demo",
        "--language",
        "en-us",
    )

    ran = drop(stack, path, "--prefix", "dana reyes/", *said, "--recorded-at", "2026-05-06T14:00")
    stack.deliver("RecordingsQueue")

    key = "calls/dana reyes/é&1.ogg"
    assert (ran.exit_code, ran.err) == (0, "")
    assert ran.document["dropped"] == [key]
    assert stored(stack, key)["Body"].read() == SOUND.read_bytes()
    assert stored(stack, key)["ContentType"] == "audio/ogg"
    submission = stack.document("submissions", key)
    call = submission["call"]
    assert (call["rep"], call["customer"], call["team"]) == ("Zoë Müller", "Acme", "North")
    assert (call["call_type"], call["recorded_at"]) == ("demo", "2026-05-06T14:00:00Z")
    assert submission["asked"]["language_code"] == "en_us"


def test_an_unknown_type_of_call_is_refused_with_those_that_are_known(stack: Stack, tmp_path: Path) -> None:
    """It would be judged by the ranges of any call, and nobody would notice the slip."""
    for command in (("drop", str(recording(tmp_path, "typed.ogg"))), ("rescore", "typed.ogg")):
        ran = run(stack.cloud, *command, "--call-type", "discvery")

        assert (ran.exit_code, ran.out) == (2, "")
        assert "'discvery' is not one of 'discovery', 'intro'" in ran.err
        assert "'follow-up'" in ran.err
    assert stack.cloud.queue_depth("RecordingsQueue") == 0


def test_a_large_file_goes_in_parts_and_is_one_drop(stack: Stack, tmp_path: Path) -> None:
    body = b"".join(bytes([number]) * 1024**2 for number in range(20))
    path = recording(tmp_path, "large.wav", body)

    assert drop(stack, path, "--prefix", "calls/dana/").exit_code == 0

    object_ = stored(stack, "calls/dana/large.wav")
    assert object_["Body"].read() == body
    assert object_["ETag"].strip('"').endswith("-3")
    (message,) = stack.cloud.messages("RecordingsQueue")
    assert json.loads(message.body)["detail"]["object"]["key"] == "calls/dana/large.wav"


def test_what_would_be_refused_is_not_uploaded_and_nothing_else_is(stack: Stack, tmp_path: Path) -> None:
    good = recording(tmp_path, "refused.ogg")
    files = [good, recording(tmp_path, "notes.txt"), recording(tmp_path, "empty.mp3", b"")]

    ran = drop(stack, *files)

    assert (ran.exit_code, ran.out) == (1, "")
    assert "notes.txt: it is no audio or video file" in ran.err
    assert "empty.mp3: the file is empty" in ran.err
    assert "nothing was uploaded" in ran.err
    assert stack.cloud.queue_depth("RecordingsQueue") == 0


def test_repeated_it_uploads_only_what_is_not_there(stack: Stack, tmp_path: Path) -> None:
    first, second = recording(tmp_path, "first.ogg"), recording(tmp_path, "second.ogg")
    drop(stack, first)

    ran = drop(stack, first, second)

    assert ran.exit_code == 0
    assert ran.document["dropped"] == ["calls/second.ogg"]
    assert ran.document["there_already"] == ["calls/first.ogg"]
    again = run(stack.cloud, "drop", str(first), "--prefix", "calls/")
    assert again.out == "There already, so left as it is (--replace drops it again): calls/first.ogg\n"
    assert stack.cloud.queue_depth("RecordingsQueue") == 2


def test_another_recording_of_the_same_name_is_replaced_only_on_purpose(stack: Stack, tmp_path: Path) -> None:
    drop(stack, recording(tmp_path, "same.ogg", b"one"))
    path = recording(tmp_path, "same.ogg", b"another")

    refused = drop(stack, path)
    assert stored(stack, "calls/same.ogg")["Body"].read() == b"one"
    replaced = drop(stack, path, "--replace")

    assert refused.exit_code == 1
    assert "--replace replaces them" in refused.err
    assert "calls/same.ogg" in refused.err
    assert replaced.exit_code == 0
    assert stored(stack, "calls/same.ogg")["Body"].read() == b"another"


def test_wrong_usage_is_told(stack: Stack, tmp_path: Path) -> None:
    path = recording(tmp_path, "a.ogg")
    (tmp_path / "other").mkdir()
    same_name = recording(tmp_path / "other", "a.ogg")

    for arguments in (
        [],
        [tmp_path / "no.ogg"],
        [tmp_path],
        [path, "--language", "english"],
        [path, "--recorded-at", "yesterday"],
        [path, "--rep", "x" * 3000],
        [path, same_name],
    ):
        ran = drop(stack, *arguments)
        assert ran.exit_code == 2
        assert "Error: " in ran.err
    assert stack.cloud.queue_depth("RecordingsQueue") == 0


def test_an_upload_that_fails_says_so(stack: Stack, tmp_path: Path) -> None:
    path = recording(tmp_path, "fails.ogg")
    with stack.cloud.fault("s3", "PutObject", status=403, code="AccessDenied"):
        ran = drop(stack, path)

    assert (ran.exit_code, ran.out) == (1, "")
    assert "AccessDenied" in ran.err
    assert drop(stack, path).document["dropped"] == ["calls/fails.ogg"]


def test_it_needs_these_rights(stack: Stack, tmp_path: Path) -> None:
    needed = {
        "cloudformation:DescribeStacks",
        "cloudformation:DescribeStackResources",
        "s3:ListBucket",
        "s3:GetObject",
        "s3:PutObject",
    }
    credentials, used = role_with(stack.cloud, "drops", needed)
    small, large = recording(tmp_path, "rights.ogg"), recording(tmp_path, "rights-large.ogg", b"s" * 9 * 1024**2)

    ran = run(stack.cloud, "drop", str(small), str(large), credentials=credentials)

    assert (ran.exit_code, ran.err) == (0, "")
    assert used() == needed
