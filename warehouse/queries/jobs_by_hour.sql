-- Jobs of shoppers that needed the worker, by the hour in which they ended: a catalogue's, which are speculative, need
-- no warm one. The first row is the first hour of which anything is known, with or without jobs.
SELECT
  TIMESTAMP_TRUNC(occurred_at, HOUR) AS hour,
  COUNT(DISTINCT IF(lane = 'gpu' AND NOT speculative, job_id, NULL)) AS jobs
FROM `${dataset}.cost_events`
WHERE occurred_at >= @since AND occurred_at < @until
GROUP BY hour
ORDER BY hour
