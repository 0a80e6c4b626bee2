-- How often was each level of each behaviour heard? level is null where a call gave no occasion, or no proof of it.
, judged AS (
  SELECT
    kind, who, call_type, part, month, item.name AS item,
    CASE item.name
      WHEN 'opening' THEN coaching.rubric.items.opening.level
      WHEN 'discovery' THEN coaching.rubric.items.discovery.level
      WHEN 'listening' THEN coaching.rubric.items.listening.level
      WHEN 'value_link' THEN coaching.rubric.items.value_link.level
      WHEN 'objection' THEN coaching.rubric.items.objection.level
      WHEN 'next_step' THEN coaching.rubric.items.next_step.level
    END AS level
  FROM parts
  CROSS JOIN (
    VALUES ('opening'), ('discovery'), ('listening'), ('value_link'), ('objection'), ('next_step')
  ) AS item (name)
)
SELECT kind, who, call_type, item, part, month, level, count(*) AS calls
FROM judged
GROUP BY kind, who, call_type, item, part, month, level
ORDER BY kind, who, call_type, item, month, part, level
