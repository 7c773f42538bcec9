-- Seconds from the request to the results, over all jobs of a time.
WITH
  jobs AS (
    SELECT MAX(latency_seconds) AS seconds
    FROM `${dataset}.costs`
    WHERE latency_seconds IS NOT NULL AND NOT speculative AND occurred_at >= @since AND occurred_at < @until
    GROUP BY job_id, occurred_at
  )
SELECT
  COUNT(*) AS jobs,
  APPROX_QUANTILES(seconds, 100)[OFFSET(50)] AS p50_seconds,
  APPROX_QUANTILES(seconds, 100)[OFFSET(95)] AS p95_seconds
FROM jobs
