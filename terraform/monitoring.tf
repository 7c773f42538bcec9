# What is counted, what is promised, and who hears of it. What is done about it stands in alerts.tf.

variable "runbooks_url" {
  description = "Where docs/runbooks.md can be read. Alerts link to its sections."
  type        = string
}

variable "alert_emails" {
  description = "Who gets alerts by mail too, by a name for each address; also the only way to hear of the billing budget. Everything else hears by the topic alerts, from which on_alert tells Slack and webhooks."
  type        = map(string)
  default     = {}
}

variable "budget" {
  description = "What may be spent: in the month, by the bill, which is a day late (needs the billing account); in a day on the worker, by the instances' billed seconds, which are minutes late."
  type = object({
    billing_account    = optional(string)
    usd_per_month      = optional(number, 150)
    worker_usd_per_day = optional(number, 10)
  })
  default = {}
}

locals {
  # Counted from log lines, so that they are there whether or not the programs send metrics of their own.
  log_metrics = {
    jobs = {
      text   = "Jobs that ended (job_ended: with results or a reason that is the photo's) or were given up (dead_letter_kept)"
      filter = "jsonPayload.message=(\"job_ended\" OR \"dead_letter_kept\")"
      labels = { event = "EXTRACT(jsonPayload.message)", outcome = "EXTRACT(jsonPayload.outcome)", lane = "EXTRACT(jsonPayload.lane)" }
    }
    worker_starts = {
      text   = "Starts of the worker that ended in a warm network"
      filter = "jsonPayload.message=\"worker_ready\""
      labels = { network = "EXTRACT(jsonPayload.network)" }
    }
    cache_answers = {
      text   = "What the cache had for an upload: the result, the matte, or neither"
      filter = "jsonPayload.message=\"upload_accepted\""
      labels = { cache = "EXTRACT(jsonPayload.cache)" }
    }
    warming_decisions = {
      text   = "Decisions on warming, by what was done and why"
      filter = "jsonPayload.message=\"warming_decided\""
      labels = { action = "EXTRACT(jsonPayload.action)", reason = "EXTRACT(jsonPayload.reason)" }
    }
    warming_nano_usd = {
      text   = "What a warm-up adds to the bill at most, 10^-9 USD"
      filter = "jsonPayload.message=\"warming_decided\" jsonPayload.action=(\"wake\" OR \"extend\")"
      labels = { cause = "EXTRACT(jsonPayload.cause)" }
      value  = "EXTRACT(jsonPayload.nano_usd)"
    }
  }

  in_logs = "resource.type=\"cloud_run_revision\""

  public_services = join(", ", [for name in sort(tolist(local.public_functions)) : "\"${local.function_specs[name].service}\""])
  api_requests    = "metric.type=\"run.googleapis.com/request_count\" resource.type=\"cloud_run_revision\" resource.labels.service_name=one_of(${local.public_services})"
  jobs_counted    = "metric.type=\"logging.googleapis.com/user/${google_logging_metric.this["jobs"].name}\" ${local.in_logs}"

  # 99.9% of 28 days: 40 minutes of nothing but errors, or one in a thousand.
  objectives = {
    api = {
      text  = "The API answers"
      total = local.api_requests
      bad   = "${local.api_requests} metric.labels.response_code_class=\"5xx\""
    }
    jobs = {
      text  = "A job ends, and is not given up"
      total = local.jobs_counted
      bad   = "${local.jobs_counted} metric.labels.event=\"dead_letter_kept\""
    }
  }
}

resource "google_logging_metric" "this" {
  for_each = local.log_metrics

  name             = "cutout/${each.key}"
  description      = each.value.text
  filter           = "${local.in_logs} ${each.value.filter}"
  label_extractors = each.value.labels
  value_extractor  = try(each.value.value, null)

  metric_descriptor {
    metric_kind = "DELTA"
    value_type  = can(each.value.value) ? "DISTRIBUTION" : "INT64"

    dynamic "labels" {
      for_each = each.value.labels
      content {
        key = labels.key
      }
    }
  }

  depends_on = [google_project_service.this]
}

resource "google_monitoring_custom_service" "this" {
  service_id   = "cutout"
  display_name = "Cutout"

  depends_on = [google_project_service.this]
}

# Monitoring refuses an objective on a metric that it does not know yet, and hears of one on log lines minutes later.
resource "terraform_data" "jobs_metric" {
  triggers_replace = [google_logging_metric.this["jobs"].id]

  provisioner "local-exec" {
    command = "sh \"$SCRIPT\""
    environment = {
      SCRIPT  = abspath("${path.module}/metric_known.sh")
      PROJECT = var.project
      METRIC  = "logging.googleapis.com/user/${google_logging_metric.this["jobs"].name}"
      TRIES   = 60
      PAUSE   = 15
    }
  }
}

resource "google_monitoring_slo" "this" {
  for_each = local.objectives

  service             = google_monitoring_custom_service.this.service_id
  slo_id              = each.key
  display_name        = "${each.value.text}: 99.9% of 28 days"
  goal                = 0.999
  rolling_period_days = 28

  request_based_sli {
    good_total_ratio {
      total_service_filter = each.value.total
      bad_service_filter   = each.value.bad
    }
  }

  depends_on = [terraform_data.jobs_metric]
}

# Through the load balancer, to a function that reads nothing before it refuses: 401 says that all of them are there.
resource "google_monitoring_uptime_check_config" "api" {
  display_name     = "API"
  timeout          = "10s"
  period           = "60s"
  selected_regions = ["USA", "EUROPE", "ASIA_PACIFIC"]

  http_check {
    path         = "/jobs/00000000-0000-7000-8000-000000000000"
    port         = 443
    use_ssl      = true
    validate_ssl = true

    accepted_response_status_codes {
      status_value = 401
    }
  }

  monitored_resource {
    type = "uptime_url"
    labels = {
      project_id = var.project
      host       = local.domain
    }
  }
}

resource "google_monitoring_notification_channel" "alerts" {
  display_name = "Topic alerts, for on_alert"
  type         = "pubsub"

  labels = {
    topic = google_pubsub_topic.this["alerts"].id
  }

  depends_on = [google_pubsub_topic_iam_member.monitoring]
}

resource "google_monitoring_notification_channel" "email" {
  for_each = var.alert_emails

  display_name = each.key
  type         = "email"

  labels = {
    email_address = each.value
  }
}

# Monitoring's own account exists once there is a channel: Google makes it when the API is first used for one.
resource "google_pubsub_topic_iam_member" "monitoring" {
  topic  = google_pubsub_topic.this["alerts"].id
  role   = "roles/pubsub.publisher"
  member = "serviceAccount:service-${data.google_project.this.number}@gcp-sa-monitoring-notification.iam.gserviceaccount.com"
}

resource "google_billing_budget" "this" {
  for_each = var.budget.billing_account == null ? {} : { month = var.budget.billing_account }

  billing_account = each.value
  display_name    = "Cutout, ${var.environment}"

  budget_filter {
    projects        = ["projects/${data.google_project.this.number}"]
    calendar_period = "MONTH"
  }

  amount {
    specified_amount {
      currency_code = "USD"
      units         = tostring(var.budget.usd_per_month)
    }
  }

  threshold_rules {
    threshold_percent = 0.5
  }

  threshold_rules {
    threshold_percent = 1
  }

  threshold_rules {
    threshold_percent = 1
    spend_basis       = "FORECASTED_SPEND"
  }

  # Not the topic: a budget publishes its state some thirty times a day, whatever it is.
  all_updates_rule {
    monitoring_notification_channels = [for channel in google_monitoring_notification_channel.email : channel.id]
    disable_default_iam_recipients   = false
  }
}
