"""Whether AssemblyAI accepts a stack's key, and knows its coach models. Only free GETs."""

from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import msgspec

from callcoach.assemblyai import CONNECT_SECONDS, READ_SECONDS, error_message, without_echo
from callcoach.doctor import Check, Look, Verdict
from callcoach.errors import AwsUnavailable, SettingsError
from callcoach.stack import HOSTS, Hosts, Stack

if TYPE_CHECKING:
    import requests

RETIRES_SOON = timedelta(days=30)
# What the coach reckons with; a smaller room makes long calls fail.
ROOM_TOKENS = 200_000


class Model(msgspec.Struct):
    """A row of the catalogue. retirement_date: seconds since 1970, 0 for none."""

    id: str
    supported_parameters: list[str] = []
    context_length: int | None = None
    retirement_date: float | None = None
    available_regions: list[str] = []


class _Catalogue(msgspec.Struct):
    data: list[Model]


class AssemblyAIDoctor:
    """Asks AssemblyAI about one stack. read_key: raises SettingsError when there is no key in its secret."""

    def __init__(self, stack: Stack, read_key: Callable[[], str], http: "requests.Session", *, now: datetime) -> None:
        self._stack = stack
        self._read_key = read_key
        self._http = http
        self._now = now
        self._region = stack.parameters["AssemblyAIRegion"]
        other = stack.parameters["AssemblyAIEndpointUrl"]
        self._hosts = Hosts(other, other) if other else HOSTS[self._region]
        self._has_own_hosts = not other

    def looks(self) -> Mapping[str, Look]:
        """Return all there is to look at, by what it is called."""
        return {"AssemblyAI key": self._key, "coach models": self._models}

    def _key(self) -> Iterator[Check]:
        secret = self._stack.assemblyai_secret
        try:
            key = self._read_key()
        except AwsUnavailable as fault:
            yield Check("secret", "not_checked", str(fault))
            return
        except SettingsError as fault:
            if "AccessDenied" in str(fault):
                yield Check("secret", "not_checked", f"your credentials may not read {secret}")
                return
            advice = "Put AssemblyAI's key into it: plain text, or JSON with the field api_key. It needs no deployment."
            yield Check("secret", "problem", str(fault), advice)
            return
        if not key.isascii() or len(key.split()) != 1:
            advice = "Put AssemblyAI's key alone into it, without quotes or words around it."
            yield Check("secret", "problem", f"{secret} holds something else than a key", advice)
            return
        yield Check("secret", "ok", f"{secret} holds a key")
        yield self._accepted(key)

    def _accepted(self, key: str) -> Check:
        name, here = "AssemblyAI key", self._hosts.api_url
        try:
            status, said = self._list_transcripts(here, key)
        except OSError as fault:
            return Check(name, "not_checked", f"{here} cannot be reached from here: {type(fault).__name__}")
        if status == 200:
            return Check(name, "ok", f"accepted by {here}")
        found = f"{here} answers {status}{said and ': '}{said}"
        if status not in (401, 403):
            return Check(name, "not_checked", found)
        elsewhere = self._region_that_accepts(key)
        if elsewhere:
            advice = (
                f"Deploy with AssemblyAIRegion={elsewhere}, or put a key of the region {self._region} in its secret."
            )
            return Check(name, "problem", f"{found}; the key belongs to the region {elsewhere}", advice)
        advice = "Put a valid key into the secret; the functions take it up within five minutes."
        return Check(name, "problem", found, advice)

    def _region_that_accepts(self, key: str) -> str | None:
        """Return the other region, if the key is one of that."""
        if not self._has_own_hosts:
            return None
        for region, hosts in HOSTS.items():
            try:
                if region != self._region and self._list_transcripts(hosts.api_url, key)[0] == 200:
                    return region
            except OSError:
                continue
        return None

    def _list_transcripts(self, api_url: str, key: str) -> tuple[int, str]:
        """Return the status of the cheapest request that needs a key, and what is said about it."""
        answer = self._http.get(
            f"{api_url}/v2/transcript",
            params={"limit": "1"},
            headers={"Authorization": key},
            timeout=(CONNECT_SECONDS, READ_SECONDS),
            allow_redirects=False,
        )
        return answer.status_code, without_echo(error_message(answer.content), key)

    def _models(self) -> Iterator[Check]:
        parameters = self._stack.parameters
        wanted = {"coach model": parameters["CoachModel"], "fallback model": parameters["CoachFallbackModel"]}
        where = f"{self._hosts.gateway_url}/v1/models"
        try:
            known = self._catalogue(where)
            # The list was seen to differ from one look to the next.
            if not set(wanted.values()) <= known.keys() | {""}:
                known |= self._catalogue(where)
        except OSError as fault:
            yield Check("coach models", "not_checked", f"{where} cannot be reached from here: {type(fault).__name__}")
            return
        except msgspec.MsgspecError:
            yield Check("coach models", "not_checked", f"{where} answers something else than a list of models")
            return
        for name, model_id in wanted.items():
            if not model_id:
                yield Check(name, "ok", "none is set")
            elif model_id in known:
                yield self._fits(name, known[model_id])
            else:
                advice = f"Set {self._parameter(name)} to one of {where}. A retired model is refused with every call."
                yield Check(name, "problem", f"{model_id} is not in AssemblyAI's list", advice)

    def _catalogue(self, url: str) -> dict[str, Model]:
        answer = self._http.get(url, timeout=(CONNECT_SECONDS, READ_SECONDS), allow_redirects=False)
        models = msgspec.json.decode(answer.content, type=_Catalogue, strict=False).data
        return {model.id: model for model in models}

    def _fits(self, name: str, model: Model) -> Check:
        parameter, ends = self._parameter(name), _retirement(model)
        found = f"{model.id}, retires on {ends:%Y-%m-%d}" if ends else model.id
        takes, room, regions = model.supported_parameters, model.context_length, model.available_regions
        is_elsewhere = self._has_own_hosts and bool(regions) and self._region not in regions
        # The first that holds is said.
        faults: tuple[tuple[bool, Verdict, str, str], ...] = (
            (ends is not None and ends <= self._now, "problem", "", "another model"),
            (is_elsewhere, "problem", f", is not offered in the region {self._region}", "another model"),
            ("response_format" not in takes, "warning", ", knows no structured output", "a model that does"),
            (
                bool(self._stack.parameters["CoachTemperature"]) and "temperature" not in takes,
                "warning",
                ", takes no temperature",
                "another model, or CoachTemperature to nothing",
            ),
            (
                room is not None and room < ROOM_TOKENS,
                "warning",
                f", reads {room or 0:,} tokens only: long calls do not fit",
                "another model, or lower CoachMaxMinutes",
            ),
            (ends is not None and ends <= self._now + RETIRES_SOON, "warning", "", "another model before that day"),
        )
        for holds, verdict, what, advice in faults:
            if holds:
                return Check(name, verdict, found + what, f"Set {parameter} to {advice}.")
        return Check(name, "ok", found)

    @staticmethod
    def _parameter(name: str) -> str:
        return "CoachModel" if name == "coach model" else "CoachFallbackModel"


def _retirement(model: Model) -> datetime | None:
    return datetime.fromtimestamp(model.retirement_date, UTC) if model.retirement_date else None
