-- What each tenant's jobs cost by day (UTC) and recipe; without a recipe stands what made no result: checks of
-- uploads, and failures. Idle time and warm-ups are nobody's alone.
SELECT
  DATE(occurred_at) AS day,
  tenant,
  recipe,
  MAX(recipe_json) AS recipe_json,
  COUNTIF(recipe IS NOT NULL) AS results,
  SUM(usd) AS usd,
  SAFE_DIVIDE(SUM(usd), COUNTIF(recipe IS NOT NULL)) AS usd_per_result
FROM `${dataset}.costs`
WHERE tenant IS NOT NULL
GROUP BY day, tenant, recipe
