-- The hours of a view that begin in a time.
SELECT *
FROM `${dataset}.${view}`
WHERE hour >= @since AND hour < @until
ORDER BY hour
