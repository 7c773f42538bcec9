-- How often each tenant's shoppers asked for which recipe. What was made in advance was asked for by nobody.
SELECT
  tenant,
  recipe_json,
  COUNT(DISTINCT job_id) AS requests
FROM `${dataset}.cost_events`
WHERE occurred_at >= @since AND tenant IS NOT NULL AND recipe_json IS NOT NULL AND NOT speculative
GROUP BY tenant, recipe_json
ORDER BY requests DESC, tenant, recipe_json
LIMIT 1000
