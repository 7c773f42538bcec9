-- Seconds from the request to the results, by hour (UTC) of their end, and how many jobs of the worker waited for its
-- start. A job has a cost for each of its recipes, all with the same time and latency.
WITH
  jobs AS (
    SELECT
      job_id,
      occurred_at,
      MAX(latency_seconds) AS seconds,
      LOGICAL_OR(lane = 'gpu') AS worker,
      LOGICAL_OR(lane = 'gpu' AND cold_start) AS cold
    FROM `${dataset}.costs`
    WHERE latency_seconds IS NOT NULL AND NOT speculative
    GROUP BY job_id, occurred_at
  )
SELECT
  TIMESTAMP_TRUNC(occurred_at, HOUR) AS hour,
  COUNT(*) AS jobs,
  COUNTIF(worker) AS worker_jobs,
  COUNTIF(cold) AS cold_starts,
  SAFE_DIVIDE(COUNTIF(cold), COUNTIF(worker)) AS cold_start_share,
  APPROX_QUANTILES(seconds, 100)[OFFSET(50)] AS p50_seconds,
  APPROX_QUANTILES(seconds, 100)[OFFSET(95)] AS p95_seconds,
  APPROX_QUANTILES(seconds, 100)[OFFSET(99)] AS p99_seconds
FROM jobs
GROUP BY hour
