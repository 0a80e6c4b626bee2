"""python -m callcoach doctor, on stacks that were deployed with something missing or mistaken."""

from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from tests.integration.operator_commands import Ran, run
from tests.integration.stack import KEY
from tests.sandbox.assemblyai.server import AssemblyAI
from tests.sandbox.cloud import Cloud

from callcoach.stack import Hosts


@pytest.fixture
def regions(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """AssemblyAI in two regions; the key is one of the EU."""
    with AssemblyAI("a-key-of-the-us") as us, AssemblyAI(KEY) as eu:
        hosts = {"us": Hosts(us.url, us.url), "eu": Hosts(eu.url, eu.url)}
        monkeypatch.setattr("callcoach.doctor_assemblyai.HOSTS", hosts)
        yield


@contextmanager
def examined(*, secrets: dict[str, str] | None = None, **parameters: str) -> Iterator[Ran]:
    """Deploy a stack without functions that run, and examine it."""
    given = {"callcoach/assemblyai": KEY} if secrets is None else secrets
    with Cloud(parameters=parameters, secrets=given, invoke=False) as cloud:
        yield run(cloud, "doctor", "--json")


def told(ran: Ran, name: str) -> tuple[str, str]:
    (check,) = (check for check in ran.document["checks"] if check["name"] == name)
    return check["verdict"], f"{check['found']} {check['advice']}"


@pytest.mark.usefixtures("regions")
def test_a_key_of_the_other_region_is_told() -> None:
    with examined(AssemblyAIRegion="us") as ran:
        verdict, said = told(ran, "AssemblyAI key")

    assert verdict == "problem"
    assert "the key belongs to the region eu" in said
    assert "Deploy with AssemblyAIRegion=eu" in said


@pytest.mark.usefixtures("regions")
def test_a_model_of_another_region_is_told_and_the_key_is_accepted() -> None:
    with examined(AssemblyAIRegion="eu", CoachModel="gpt-5.2", CoachFallbackModel="") as ran:
        assert told(ran, "AssemblyAI key")[0] == "ok"
        verdict, said = told(ran, "coach model")
        assert told(ran, "fallback model") == ("ok", "none is set ")

    assert verdict == "problem"
    assert "not offered in the region eu" in said


@pytest.mark.usefixtures("regions")
def test_a_stack_without_its_secret_and_with_weak_models_is_told() -> None:
    # The maker retires the second one on 2026-11-30.
    weak = {"CoachModel": "gpt-oss-20b", "CoachFallbackModel": "claude-sonnet-4-5-20250929"}
    with examined(secrets={}, **weak) as ran:
        verdict, said = told(ran, "secret")
        assert (verdict, "ResourceNotFoundException" in said) == ("problem", True)
        assert "AssemblyAI key" not in {check["name"] for check in ran.document["checks"]}
        assert told(ran, "coach model")[0] == "warning"
        assert "knows no structured output" in told(ran, "coach model")[1]
        assert told(ran, "fallback model")[0] in ("warning", "problem")
        assert told(ran, "who gets scorecards") == (
            "warning",
            "nobody Set NotificationEmail, or python -m callcoach subscribe ADDRESS --region eu-west-1",
        )

    assert ran.exit_code == 1


@pytest.mark.usefixtures("regions")
def test_a_bucket_of_one_s_own_is_looked_at() -> None:
    with Cloud(
        parameters={"RecordingsBucketName": "mine"},
        secrets={"callcoach/assemblyai": KEY},
        existing_buckets=["mine"],
        invoke=False,
    ) as cloud:
        before = told(run(cloud, "doctor", "--json"), "recordings bucket")
        cloud.client("s3").put_bucket_notification_configuration(Bucket="mine", NotificationConfiguration={})
        after, said = told(run(cloud, "doctor", "--json"), "recordings bucket")

    assert before == ("ok", "mine, which tells EventBridge of what is dropped ")
    assert after == "problem"
    assert "mine tells EventBridge of nothing" in said
