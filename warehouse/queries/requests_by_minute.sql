-- The last job and the last warm-up of each minute: enough to know what an instance was kept for.
SELECT
  MAX(occurred_at) AS last_at,
  kind = 'warmup' AS warm_up
FROM `${dataset}.cost_events`
WHERE
  region = @region
  AND occurred_at >= @since
  AND occurred_at < @until
  AND revision IS NULL
  AND (lane = 'gpu' AND NOT speculative OR kind = 'warmup')
GROUP BY TIMESTAMP_TRUNC(occurred_at, MINUTE), warm_up
ORDER BY last_at
