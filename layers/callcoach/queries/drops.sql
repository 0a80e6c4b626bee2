-- In how many calls does the customer's wording clearly turn negative about our offer or the rep?
-- calls: those in which that can be known.
, counted AS (
  SELECT
    kind, who, call_type, part, month,
    cardinality(filter(
      sentiment.shifts,
      shift -> shift.strength = 'clear' AND shift."to" = 'negative' AND shift.about = 'our_offer_or_rep'
    )) AS drops
  FROM parts
)
SELECT
  kind, who, call_type, part, month,
  count(drops) AS calls,
  count(CASE WHEN drops > 0 THEN 1 END) AS calls_with_drops,
  sum(drops) AS drops
FROM counted
GROUP BY kind, who, call_type, part, month
ORDER BY kind, who, call_type, month, part
