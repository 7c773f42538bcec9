-- What the cache had for the results that were asked for, by day (UTC): the result, the matte, or neither.
SELECT
  DATE(occurred_at) AS day,
  COUNT(*) AS answers,
  COUNTIF(cache = 'hit') AS hits,
  COUNTIF(cache = 'matte') AS mattes,
  COUNTIF(cache = 'miss') AS misses,
  SAFE_DIVIDE(COUNTIF(cache = 'hit'), COUNT(*)) AS hit_rate,
  SAFE_DIVIDE(COUNTIF(cache != 'miss'), COUNT(*)) AS rate_without_gpu
FROM `${dataset}.costs`
WHERE cache IS NOT NULL AND NOT speculative
GROUP BY day
