-- How do talk share, questions and the longest monologue go, against the usual range?
-- A row for each call and number, with the medians of its part and of its part's month: none under five calls.
, measured AS (
  SELECT
    kind, who, call_type, part, month, recorded_at, recording, measure.name AS measure,
    CASE measure.name
      WHEN 'talk_share' THEN talk_listen.rep_share
      WHEN 'questions' THEN metrics.questions.value
      ELSE metrics.longest_monologue.value
    END AS value,
    CASE measure.name
      WHEN 'talk_share' THEN talk_listen.band.low
      WHEN 'questions' THEN metrics.questions.band.low
      ELSE metrics.longest_monologue.band.low
    END AS band_low,
    CASE measure.name
      WHEN 'talk_share' THEN talk_listen.band.high
      WHEN 'questions' THEN metrics.questions.band.high
      ELSE metrics.longest_monologue.band.high
    END AS band_high
  FROM parts
  CROSS JOIN (VALUES ('talk_share'), ('questions'), ('longest_monologue')) AS measure (name)
), ranked AS (
  SELECT
    *,
    row_number() OVER (PARTITION BY kind, who, call_type, measure, part ORDER BY value, recording) AS place,
    count(*) OVER (PARTITION BY kind, who, call_type, measure, part) AS calls,
    row_number() OVER (PARTITION BY kind, who, call_type, measure, part, month ORDER BY value, recording) AS month_place,
    count(*) OVER (PARTITION BY kind, who, call_type, measure, part, month) AS month_calls
  FROM measured
  WHERE value IS NOT NULL
)
SELECT
  kind, who, call_type, measure, part, recorded_at, recording, value, band_low, band_high, calls,
  -- The one or two values in the middle.
  CASE WHEN calls >= 5 THEN
    avg(CASE WHEN 2 * place BETWEEN calls AND calls + 2 THEN value END)
      OVER (PARTITION BY kind, who, call_type, measure, part)
  END AS median,
  month,
  month_calls,
  CASE WHEN month_calls >= 5 THEN
    avg(CASE WHEN 2 * month_place BETWEEN month_calls AND month_calls + 2 THEN value END)
      OVER (PARTITION BY kind, who, call_type, measure, part, month)
  END AS month_median
FROM ranked
ORDER BY kind, who, call_type, measure, recorded_at, recording
