-- Every question begins with this.
-- named: each call once for its rep and once for its team. coached: those that may be compared.
-- parts: coached calls in their order, with a new part wherever something changes that moves numbers by itself.
WITH named AS (
  SELECT
    owner.kind,
    CASE owner.kind WHEN 'rep' THEN call.rep ELSE call.team END AS who,
    coalesce(talk_listen.band."for", 'other') AS call_type,
    call.recorded_at,
    call.recording,
    substr(call.recorded_at, 1, 7) AS month,
    status,
    status_reason,
    roles.needs_review,
    talk_listen,
    metrics,
    sentiment,
    coaching,
    coalesce(CAST(schema_version AS varchar), '') AS schema_version,
    coalesce(talk_listen.definition, '') || ' ' || coalesce(metrics.questions.definition, '')
      || ' ' || coalesce(metrics.longest_monologue.definition, '') AS definitions,
    coalesce(run.rubric_sha256, '') AS rubric_sha256,
    coalesce(run.prompt_version, '') || ' ' || coalesce(run.prompt_sha256, '') AS prompt,
    coalesce(run.coach_model, '') AS coach_model
  FROM scorecards
  CROSS JOIN (VALUES ('rep'), ('team')) AS owner (kind)
), coached AS (
  SELECT
    *,
    schema_version || '|' || definitions || '|' || rubric_sha256 || '|' || prompt || '|' || coach_model AS made_by
  FROM named
  WHERE status = 'complete' AND NOT needs_review AND recorded_at IS NOT NULL AND who IS NOT NULL
), marked AS (
  SELECT
    *,
    CASE
      WHEN lag(made_by) OVER (PARTITION BY kind, who, call_type ORDER BY recorded_at, recording) <> made_by THEN 1
      ELSE 0
    END AS is_break
  FROM coached
), parts AS (
  SELECT
    *,
    sum(is_break) OVER (
      PARTITION BY kind, who, call_type ORDER BY recorded_at, recording ROWS UNBOUNDED PRECEDING
    ) AS part
  FROM marked
)
