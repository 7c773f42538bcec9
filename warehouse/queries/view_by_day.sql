-- The days of a view that begin in a time.
SELECT *
FROM `${dataset}.${view}`
WHERE day >= DATE(@since) AND day <= DATE(@until)
ORDER BY day
