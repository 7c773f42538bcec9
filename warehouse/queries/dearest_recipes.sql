-- What each tenant's recipes cost over the days of a time, the dearest first.
SELECT
  tenant,
  recipe,
  MAX(recipe_json) AS recipe_json,
  SUM(results) AS results,
  SUM(usd) AS usd,
  SAFE_DIVIDE(SUM(usd), SUM(results)) AS usd_per_result
FROM `${dataset}.cost_by_tenant_and_recipe`
WHERE day >= DATE(@since) AND day <= DATE(@until)
GROUP BY tenant, recipe
ORDER BY usd DESC
