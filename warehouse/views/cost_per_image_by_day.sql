-- What a day (UTC) cost, by kind, and what that makes an image: a photo that results were asked of and delivered.
-- usd_per_image is the share of all that serving shoppers cost, with what was made in advance for them;
-- usd_per_image_of_jobs leaves out what the worker waited. A catalogue's rows (speculative, lane gpu) are in the sums by
-- kind and by themselves, and in neither of these two: its images are not among those that are counted.
SELECT
  DATE(occurred_at) AS day,
  COUNT(DISTINCT IF(recipe IS NOT NULL AND NOT speculative, job_id, NULL)) AS images,
  COUNTIF(recipe IS NOT NULL AND NOT speculative) AS results,
  SUM(IF(kind = 'gpu', usd, 0)) AS gpu_usd,
  SUM(IF(kind = 'cpu', usd, 0)) AS cpu_usd,
  SUM(IF(kind = 'function', usd, 0)) AS function_usd,
  SUM(IF(kind = 'idle', usd, 0)) AS idle_usd,
  SUM(IF(kind = 'warmup', usd, 0)) AS warmup_usd,
  SUM(IF(speculative AND lane = 'gpu', usd, 0)) AS catalogue_usd,
  SUM(usd) AS usd,
  SAFE_DIVIDE(
    SUM(IF(NOT (speculative AND COALESCE(lane, '') = 'gpu'), usd, 0)),
    COUNT(DISTINCT IF(recipe IS NOT NULL AND NOT speculative, job_id, NULL))
  ) AS usd_per_image,
  SAFE_DIVIDE(
    SUM(IF(job_id IS NOT NULL AND NOT (speculative AND COALESCE(lane, '') = 'gpu'), usd, 0)),
    COUNT(DISTINCT IF(recipe IS NOT NULL AND NOT speculative, job_id, NULL))
  ) AS usd_per_image_of_jobs
FROM `${dataset}.costs`
GROUP BY day
