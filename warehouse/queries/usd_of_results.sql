-- What the results of each job cost.
SELECT job_id, SUM(usd) AS usd
FROM `${dataset}.costs`
WHERE recipe IS NOT NULL
GROUP BY job_id
