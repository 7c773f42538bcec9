#!/bin/sh
# Gives the subscription behind an Eventarc trigger dead letters, attempts and pauses. Run by eventarc.tf.
set -eu

subscription=$(gcloud eventarc triggers describe "$TRIGGER" --project="$PROJECT" --location="$REGION" \
  --format='value(transport.pubsub.subscription)')
subscription=${subscription##*/}
[ -n "$subscription" ] || { echo "trigger $TRIGGER has no subscription yet: apply again" >&2; exit 1; }

# Pub/Sub acknowledges here what it moves there.
gcloud pubsub subscriptions add-iam-policy-binding "$subscription" --project="$PROJECT" --quiet \
  --member="$AGENT" --role=roles/pubsub.subscriber
gcloud pubsub subscriptions update "$subscription" --project="$PROJECT" --quiet \
  --dead-letter-topic="$DEAD_LETTERS" --max-delivery-attempts="$ATTEMPTS" \
  --min-retry-delay=10s --max-retry-delay=600s --ack-deadline=600
