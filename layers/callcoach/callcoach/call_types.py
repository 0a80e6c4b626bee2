"""The types of call for which something is usual, and their other names. Pure."""

# Each has its ranges in functions/scorecard/bands.toml; "other" has those of all else.
OTHER = "other"
CALL_TYPES: dict[str, tuple[str, ...]] = {
    "discovery": ("intro", "qualification", "first"),
    "demo": ("presentation", "walkthrough"),
    "cold": ("prospecting", "outbound"),
    "follow-up": ("negotiation", "closing", "renewal", "check-in"),
    OTHER: (),
}


def call_type_named(name: str | None) -> str:
    """Return the type of call that goes by a name, in any case; "other" for all else."""
    wanted = (name or "").strip().casefold()
    return next((kind for kind, others in CALL_TYPES.items() if wanted == kind or wanted in others), OTHER)
