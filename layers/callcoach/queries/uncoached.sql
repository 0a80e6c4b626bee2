-- Which calls are in none of the lines, and why? who is null for calls that name nobody.
SELECT
  kind, who, call_type,
  CASE
    WHEN status <> 'complete' THEN coalesce(status_reason, status)
    WHEN needs_review THEN 'needs_review'
    WHEN recorded_at IS NULL THEN 'no_date'
    ELSE 'nobody_named'
  END AS reason,
  count(*) AS calls
FROM named
WHERE status <> 'complete' OR needs_review OR recorded_at IS NULL OR who IS NULL
GROUP BY 1, 2, 3, 4
ORDER BY 1, 2, 3, 4
