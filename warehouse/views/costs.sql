-- Every cost once: the table holds an event as often as it was delivered, and every revision of an hour.
-- What a warm-up came to by its sender's reckoning counts until its hour has been reconciled with the bill.
--
-- An event counts by its id alone, at the first time that it was told with: whoever makes an event anew repeats the id,
-- but not always the time. So a condition on occurred_at leaves out no partition: it can't be applied before the copies
-- of other days were looked for. To partition by occurred_at as well would let it, and count such an event twice. The
-- table grows by about a kilobyte a job, little for whoever looks at it now and then; what reads it every hour,
-- queries/recorded_hours.sql, takes the days it needs from the table itself.
WITH
  counted AS (
    SELECT *
    FROM `${dataset}.cost_events`
    WHERE TRUE
    QUALIFY
      ROW_NUMBER() OVER (
        PARTITION BY
          IF(revision IS NULL, event_id, CONCAT(kind, ' ', region)), IF(revision IS NULL, NULL, occurred_at)
        ORDER BY revision DESC, occurred_at, usd DESC
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
