"""What template.yaml tells ScorecardFunction."""

import msgspec


class Settings(msgspec.Struct, frozen=True):
    """One field per environment variable.

    roles: the rep's first, then the customer's. coach_temperature: "" is not sent. monthly_cost_cap_usd: 0 for none.
    report_sender: "" mails no reports.
    """

    assemblyai_secret_name: str
    assemblyai_api_url: str
    llm_gateway_url: str
    callbacks_queue_url: str
    callbacks_dlq_url: str
    recordings_queue_url: str
    scorecards_bucket_name: str
    scorecards_topic_arn: str
    operations_topic_arn: str
    state_table_name: str
    roles: tuple[str, str]
    target_rep_share: float
    coach_model: str
    coach_fallback_model: str
    coach_temperature: str
    coach_language: str
    coach_max_minutes: int
    rep_channel: int
    identifications_per_minute: int
    coach_requests_per_minute: int
    delete_at_assemblyai: bool
    monthly_cost_cap_usd: float
    report_sender: str
    report_recipients: tuple[str, ...]
