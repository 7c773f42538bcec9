-- Every cost once: the table holds an event as often as it was delivered, and every revision of an hour.
-- What a warm-up came to by its sender's reckoning counts until its hour has been reconciled with the bill.
WITH
  counted AS (
    SELECT *
    FROM `${dataset}.cost_events`
    WHERE TRUE
    QUALIFY
      ROW_NUMBER() OVER (
        PARTITION BY occurred_at, IF(revision IS NULL, event_id, CONCAT(kind, ' ', region))
        ORDER BY revision DESC, usd DESC
      ) = 1
  ),
  reconciled AS (
    SELECT DISTINCT region, occurred_at AS hour
    FROM `${dataset}.cost_events`
    WHERE revision IS NOT NULL
  )
SELECT
  counted.event_id,
  counted.occurred_at,
  counted.kind,
  counted.region,
  counted.tenant,
  counted.job_id,
  counted.usd,
  counted.price_version,
  counted.gpu_seconds,
  counted.vcpu_seconds,
  counted.gib_seconds,
  counted.lane,
  counted.model,
  counted.recipe,
  counted.recipe_json,
  counted.cache,
  counted.speculative,
  counted.batch_size,
  counted.cold_start,
  counted.megapixels,
  counted.latency_seconds,
  counted.revision
FROM counted
LEFT JOIN reconciled
  ON reconciled.region = counted.region
  AND reconciled.hour = TIMESTAMP_TRUNC(counted.occurred_at, HOUR)
WHERE reconciled.hour IS NULL OR counted.kind != 'warmup' OR counted.revision IS NOT NULL
