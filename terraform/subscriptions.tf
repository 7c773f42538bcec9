locals {
  worker   = google_cloud_run_v2_service.worker[local.active_region]
  function = { for name, function in google_cloudfunctions2_function.this : name => function.service_config[0].uri }

  # The same as on one machine, but with the cloud's pauses: local/topology.py.
  # 20 attempts with pauses of 10 to 600 s last for some two and a half hours: refusals while the worker starts count,
  # too. BigQuery may be away for longer, so costs are tried 100 times, all that Pub/Sub allows, which is 16 hours.
  # Warm-ups and ticks are of use at once or never.
  subscriptions = {
    jobs-worker    = { topic = "jobs", url = "${local.worker.uri}/jobs", dead_letters = "dead-letters" }
    render         = { topic = "renders", function = "render", dead_letters = "dead-letters" }
    notify         = { topic = "results", function = "notify", dead_letters = "dead-letters" }
    deliver        = { topic = "deliveries", function = "deliver", dead_letters = "dead-letters" }
    record-cost    = { topic = "costs", function = "record_cost", dead_letters = "dead-letters", attempts = 100 }
    on-alert       = { topic = "alerts", function = "on_alert", dead_letters = "dead-letters" }
    on-dead-letter = { topic = "dead-letters", function = "on_dead_letter" }
    warm           = { topic = "ticks", function = "warm", retention = "600s" }
    warmups-worker = { topic = "warmups", url = "${local.worker.uri}/warmup", retention = "600s" }
  }
}

# Pushes carry the token of one of these two. Neither may do anything but call what it pushes to.
resource "google_service_account" "push" {
  account_id   = "push-worker"
  display_name = "Pushes of Pub/Sub to the worker"
}

resource "google_service_account" "events" {
  account_id   = "push-functions"
  display_name = "Pushes of Pub/Sub and Eventarc to the functions"
}

# Pub/Sub makes these tokens itself. Its account gets no rights either if it was made on request, and needs them on
# nothing but these two.
resource "google_service_account_iam_member" "pushes" {
  for_each = {
    events = google_service_account.events.name
    worker = google_service_account.push.name
  }

  service_account_id = each.value
  role               = "roles/iam.serviceAccountTokenCreator"
  member             = local.agents.pubsub

  depends_on = [google_project_service.this]
}

# A function gets the message as Pub/Sub wraps it, and functions-framework makes the CloudEvent of it that Eventarc would
# send. A trigger of Eventarc's has a subscription that Terraform can't configure: neither dead letters nor attempts.
resource "google_pubsub_subscription" "this" {
  for_each = local.subscriptions

  name                       = each.key
  topic                      = google_pubsub_topic.this[each.value.topic].id
  ack_deadline_seconds       = 600
  message_retention_duration = try(each.value.retention, "604800s")

  push_config {
    push_endpoint = try(local.function[each.value.function], each.value.url)

    oidc_token {
      service_account_email = can(each.value.url) ? google_service_account.push.email : google_service_account.events.email
      audience              = can(each.value.url) ? local.worker_audience : local.function[each.value.function]
    }
  }

  retry_policy {
    minimum_backoff = "10s"
    maximum_backoff = "600s"
  }

  # Never: a shop may be closed for longer than the month after which Pub/Sub deletes what nobody uses.
  expiration_policy {
    ttl = ""
  }

  dynamic "dead_letter_policy" {
    for_each = try([each.value.dead_letters], [])
    content {
      dead_letter_topic     = google_pubsub_topic.this[dead_letter_policy.value].id
      max_delivery_attempts = try(each.value.attempts, 20)
    }
  }

  depends_on = [
    google_cloud_run_v2_service_iam_member.events,
    google_cloud_run_v2_service_iam_member.push,
    google_service_account_iam_member.pushes,
  ]
}

# Pub/Sub itself moves a message that was given up: it publishes it there, and acknowledges it here.
resource "google_pubsub_topic_iam_member" "dead_letters" {
  for_each = toset([for subscription in local.subscriptions : subscription.dead_letters if can(subscription.dead_letters)])

  topic  = google_pubsub_topic.this[each.key].id
  role   = "roles/pubsub.publisher"
  member = local.agents.pubsub
}

resource "google_pubsub_subscription_iam_member" "dead_letters" {
  for_each = { for name, subscription in local.subscriptions : name => subscription if can(subscription.dead_letters) }

  subscription = google_pubsub_subscription.this[each.key].id
  role         = "roles/pubsub.subscriber"
  member       = local.agents.pubsub
}
