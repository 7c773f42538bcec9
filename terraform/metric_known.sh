#!/bin/sh
# Waits until Monitoring knows a metric: up to ten minutes, for a new one on log lines. Run by monitoring.tf.
set -eu

asked() {
  printf 'Authorization: Bearer %s' "$(gcloud auth print-access-token)" | curl --silent --max-time 20 --output /dev/null \
    --write-out '%{http_code}' --header @- "https://monitoring.googleapis.com/v3/projects/$PROJECT/metricDescriptors/$METRIC"
}

left=$TRIES
until answer=$(asked) && [ "$answer" = 200 ]; do
  left=$((left - 1))
  [ "$left" -gt 0 ] || { echo "Monitoring does not know $METRIC yet ($answer): apply again" >&2; exit 1; }
  sleep "$PAUSE"
done
