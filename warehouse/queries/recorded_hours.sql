-- By hour: what the worker's jobs cost, and the newest revisions of what it cost besides. Catalogues, which are
-- speculative, run on instances of their own, and are no part of its bill.
-- Every event counts once, as in the view costs, but only the days that matter are read: an event that is told again
-- with another time is so within a day.
WITH
  counted AS (
    SELECT *
    FROM `${dataset}.cost_events`
    WHERE region = @region AND occurred_at >= TIMESTAMP_SUB(@since, INTERVAL 1 DAY) AND occurred_at < @until
    QUALIFY
      ROW_NUMBER() OVER (
        PARTITION BY IF(revision IS NULL, event_id, kind), IF(revision IS NULL, NULL, occurred_at)
        ORDER BY revision DESC, occurred_at, usd DESC
      ) = 1
  )
SELECT
  TIMESTAMP_TRUNC(occurred_at, HOUR) AS hour,
  SUM(IF(lane = 'gpu' AND NOT speculative, usd, 0)) AS jobs_usd,
  SUM(IF(lane = 'gpu' AND NOT speculative, gpu_seconds, 0)) AS gpu_seconds,
  SUM(IF(lane = 'gpu' AND NOT speculative, vcpu_seconds, 0)) AS vcpu_seconds,
  SUM(IF(lane = 'gpu' AND NOT speculative, gib_seconds, 0)) AS gib_seconds,
  MAX(IF(kind = 'idle', revision, NULL)) AS idle_revision,
  SUM(IF(kind = 'idle' AND revision IS NOT NULL, usd, 0)) AS idle_usd,
  MAX(IF(kind = 'warmup', revision, NULL)) AS warmup_revision,
  SUM(IF(kind = 'warmup' AND revision IS NOT NULL, usd, 0)) AS warmup_usd
FROM counted
WHERE occurred_at >= @since
GROUP BY hour
