-- Where do lines break, and what has changed there?
, neighbours AS (
  SELECT
    kind, who, call_type, part, recorded_at, is_break,
    schema_version, definitions, rubric_sha256, prompt, coach_model,
    lag(schema_version) OVER (PARTITION BY kind, who, call_type ORDER BY recorded_at, recording) AS schema_version_before,
    lag(definitions) OVER (PARTITION BY kind, who, call_type ORDER BY recorded_at, recording) AS definitions_before,
    lag(rubric_sha256) OVER (PARTITION BY kind, who, call_type ORDER BY recorded_at, recording) AS rubric_sha256_before,
    lag(prompt) OVER (PARTITION BY kind, who, call_type ORDER BY recorded_at, recording) AS prompt_before,
    lag(coach_model) OVER (PARTITION BY kind, who, call_type ORDER BY recorded_at, recording) AS coach_model_before
  FROM parts
)
SELECT
  kind, who, call_type, part, recorded_at,
  schema_version_before, schema_version,
  definitions_before, definitions,
  rubric_sha256_before, rubric_sha256,
  prompt_before, prompt,
  coach_model_before, coach_model
FROM neighbours
WHERE is_break = 1
ORDER BY kind, who, call_type, recorded_at
