locals {
  # A call that fails is not repeated but by the next one, where that comes soon.
  scheduled_calls = {
    sweep_deliveries = { schedule = "* * * * *", seconds = 120, retries = 0 }
    reconcile_idle   = { schedule = "20 * * * *", seconds = 540, retries = 3 }
    precompute       = { schedule = "10 3 * * *", seconds = 1500, retries = 2 }
  }
}

resource "google_service_account" "scheduler" {
  account_id   = "scheduler"
  display_name = "Calls of Cloud Scheduler"
}

# The tick needs data, if only an empty object: functions-framework takes a push without any for no event.
resource "google_cloud_scheduler_job" "warm" {
  name        = "warm"
  region      = var.region
  description = "Is it worth having a worker awake?"
  schedule    = "* * * * *"
  time_zone   = "Etc/UTC"

  pubsub_target {
    topic_name = google_pubsub_topic.this["ticks"].id
    data       = base64encode("{}")
    attributes = { tick = "warm" }
  }

  retry_config {
    retry_count = 0
  }
}

resource "google_cloud_scheduler_job" "call" {
  for_each = local.scheduled_calls

  name             = replace(each.key, "_", "-")
  region           = var.region
  description      = local.function_specs[each.key].text
  schedule         = each.value.schedule
  time_zone        = var.warming.zone
  attempt_deadline = "${each.value.seconds}s"

  http_target {
    http_method = "POST"
    uri         = local.function[each.key]

    oidc_token {
      service_account_email = google_service_account.scheduler.email
      audience              = local.function[each.key]
    }
  }

  retry_config {
    retry_count          = each.value.retries
    min_backoff_duration = "60s"
    max_backoff_duration = "600s"
  }

  depends_on = [google_cloud_run_v2_service_iam_member.scheduler]
}

resource "google_cloud_run_v2_service_iam_member" "scheduler" {
  for_each = local.scheduled_calls

  location = var.region
  name     = google_cloudfunctions2_function.this[each.key].name
  role     = "roles/run.invoker"
  member   = google_service_account.scheduler.member
}
