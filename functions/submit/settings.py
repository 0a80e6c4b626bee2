"""What template.yaml tells SubmitFunction."""

import msgspec


class Settings(msgspec.Struct, frozen=True):
    """One field per environment variable. monthly_cost_cap_usd: 0 for none."""

    assemblyai_secret_name: str
    assemblyai_api_url: str
    webhook_url: str
    webhook_secret_arn: str
    recordings_queue_url: str
    recordings_dlq_url: str
    callbacks_queue_url: str
    scorecards_bucket_name: str
    scorecards_topic_arn: str
    operations_topic_arn: str
    state_table_name: str
    speech_models: tuple[str, ...]
    language: str
    disfluencies: bool
    key_pattern: str
    recordings_prefix: str
    rep_channel: int
    recording_url_seconds: int
    overdue_after_seconds: int
    transcript_deadline_hours: int
    max_open_jobs: int
    identifications_per_minute: int
    redact_pii: tuple[str, ...]
    monthly_cost_cap_usd: float
