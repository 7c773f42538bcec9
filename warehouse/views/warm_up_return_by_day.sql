-- What warming cost by day (UTC), and which jobs it served warm: those that met a ready worker and had no other job in
-- the ten minutes before, for which Cloud Run would have kept an instance anyway, but a warm-up.
-- Several instances of a region are looked at as one.
WITH
  requests AS (
    SELECT region, occurred_at, 'job' AS request, LOGICAL_OR(cold_start) AS cold
    FROM `${dataset}.costs`
    WHERE lane = 'gpu' AND latency_seconds IS NOT NULL AND NOT speculative
    GROUP BY region, occurred_at, job_id
    UNION ALL
    SELECT region, MIN(occurred_at) AS occurred_at, 'warm-up' AS request, FALSE AS cold
    FROM `${dataset}.cost_events`
    WHERE kind = 'warmup' AND revision IS NULL
    GROUP BY region, event_id
  ),
  in_order AS (
    SELECT
      DATE(occurred_at) AS day,
      request,
      cold,
      LAG(request) OVER (PARTITION BY region ORDER BY occurred_at) AS request_before,
      TIMESTAMP_DIFF(occurred_at, LAG(occurred_at) OVER (PARTITION BY region ORDER BY occurred_at), SECOND) AS seconds
    FROM requests
  ),
  served AS (
    SELECT
      day,
      COUNTIF(request = 'warm-up') AS warm_ups,
      COUNTIF(request = 'job' AND NOT cold AND request_before = 'warm-up' AND seconds <= 600) AS served_warm,
      COUNTIF(request = 'job' AND cold) AS served_cold
    FROM in_order
    GROUP BY day
  ),
  spent AS (
    SELECT DATE(occurred_at) AS day, SUM(usd) AS usd
    FROM `${dataset}.costs`
    WHERE kind = 'warmup'
    GROUP BY day
  )
SELECT
  day,
  IFNULL(served.warm_ups, 0) AS warm_ups,
  IFNULL(served.served_warm, 0) AS served_warm,
  IFNULL(served.served_cold, 0) AS served_cold,
  IFNULL(spent.usd, 0) AS usd,
  SAFE_DIVIDE(spent.usd, served.served_warm) AS usd_per_job_served_warm
FROM served
FULL JOIN spent USING (day)
