-- By hour: what the worker's jobs cost, and the newest revisions of what it cost besides. Catalogues, which are
-- speculative, run on instances of their own, and are no part of its bill.
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
FROM `${dataset}.costs`
WHERE region = @region AND occurred_at >= @since AND occurred_at < @until
GROUP BY hour
