# Alert policies. docs/runbooks.md has a section for each; `text` is what somebody reads first, wherever it reaches them.

locals {
  worker_metric = "resource.type=\"cloud_run_revision\" resource.labels.service_name=\"${local.worker_name}\""

  # List prices of a region of tier 1, as events/prices.py has them.
  worker_usd_per_second = 0.0001867 + var.worker.vcpus * 0.000018 + var.worker.gib * 0.000002

  windows = {
    fast = { rate = 14.4, long = "3600s", short = "300s", severity = "CRITICAL", gone = "2% of the month's errors in one hour" }
    slow = { rate = 6, long = "21600s", short = "1800s", severity = "ERROR", gone = "5% of the month's errors in six hours" }
  }

  # Metrics are two minutes late; what a log line tells is known within seconds. A policy on log lines has one condition.
  alerts = merge({
    cold-starts = {
      title    = "Cold starts"
      severity = "WARNING"
      text     = "The worker starts more often than warming and the keep-alive of 10 minutes explain. Each start is some 20 s of waiting and 0.25 USD of idle time. Look for crashes first, then at the policy of warming."
      conditions = [{
        title = "More than 12 starts in an hour"
        query = "sum(increase(logging_googleapis_com:user_${replace(google_logging_metric.this["worker_starts"].name, "/", "_")}{monitored_resource=\"cloud_run_revision\"}[1h])) > 12"
      }]
    }

    latency = {
      title    = "Latency"
      severity = "WARNING"
      text     = "Photos take longer than a cold start explains, or the API itself is slow. Compare the stages on the dashboard: a long network means a full GPU, a long event a backlog."
      conditions = [
        {
          title = "95% of the photos within 45 s no longer holds"
          query = "histogram_quantile(0.95, sum by (le) (rate(cutout_retrieval_seconds_bucket[15m]))) > 45"
        },
        {
          title     = "95% of the requests to request_upload within 3 s no longer holds"
          filter    = "metric.type=\"run.googleapis.com/request_latencies\" resource.type=\"cloud_run_revision\" resource.labels.service_name=\"request-upload\""
          aligner   = "ALIGN_DELTA"
          reducer   = "REDUCE_PERCENTILE_95"
          period    = "300s"
          threshold = 3000
          duration  = "600s"
        },
      ]
    }

    error-rate = {
      title    = "Error rate"
      severity = "ERROR"
      text     = "A service answers more than one request in twenty with 5xx. If a revision is new, roll it back: that is one command, and the mitigation of this policy where one is set."
      conditions = [{
        title       = "More than 5% of a service's requests fail"
        filter      = "metric.type=\"run.googleapis.com/request_count\" resource.type=\"cloud_run_revision\" metric.labels.response_code_class=\"5xx\""
        denominator = "metric.type=\"run.googleapis.com/request_count\" resource.type=\"cloud_run_revision\""
        aligner     = "ALIGN_RATE"
        group_by    = ["resource.label.service_name"]
        period      = "300s"
        threshold   = 0.05
        duration    = "300s"
      }]
    }

    worker-errors = {
      title    = "Worker errors"
      severity = "ERROR"
      text     = "The worker refuses more than one push in five. Messages come again, so nothing is lost for some two hours. Roll the worker back if its revision is new; look for GPU errors otherwise."
      conditions = [{
        title       = "More than 20% of the pushes to the worker fail"
        filter      = "metric.type=\"run.googleapis.com/request_count\" ${local.worker_metric} metric.labels.response_code_class=\"5xx\""
        denominator = "metric.type=\"run.googleapis.com/request_count\" ${local.worker_metric}"
        aligner     = "ALIGN_RATE"
        period      = "120s"
        threshold   = 0.2
        duration    = "120s"
      }]
    }

    failed-jobs = {
      title    = "Failed jobs"
      severity = "ERROR"
      text     = "A job was given up after all its attempts, the network failed, or a worker could not start. The message of a job is kept: replay it once the cause is mended."
      conditions = [{
        title = "A job was given up, or the network failed"
        log   = "jsonPayload.message=(\"dead_letter_kept\" OR \"network_failed\" OR \"start_failed\")"
      }]
    }

    logged-errors = {
      title    = "Logged errors"
      severity = "WARNING"
      text     = "A program logged an error that is none of the failures with an alert of their own. The line names the event and its job."
      conditions = [{
        title = "A line of severity error"
        log   = "severity>=ERROR NOT log_id(\"run.googleapis.com/requests\") NOT jsonPayload.message=(\"dead_letter_kept\" OR \"network_failed\" OR \"start_failed\")"
      }]
    }

    catalogue = {
      title    = "Catalogues"
      severity = "ERROR"
      text     = "A task of the job for catalogues logged an error, gave up or failed. Cloud Run runs it again, three times; then the catalogue is not whole. Nobody is told of what is missing but by its report."
      conditions = [{
        title = "A line of severity error"
        in    = "resource.type=\"cloud_run_job\""
        log   = "severity>=ERROR"
      }]
    }

    build = {
      title    = "Builds"
      severity = "ERROR"
      text     = "A build ended without success: a delivery, whose worker may have been rolled back or whose canary may be left behind, or the build of a function. What the step before it did stays done."
      conditions = [{
        title = "A build failed, took too long or was stopped"
        in    = "resource.type=\"build\""
        log   = "log_id(\"cloudbuild\") textPayload=~\"^(ERROR|TIMEOUT|CANCELLED)\"" # what steps print begins with their names
      }]
    }

    dead-letters = {
      title    = "Dead letters"
      severity = "ERROR"
      text     = "Pub/Sub gave up messages. Each of them was tried for two hours or more, so this is no hiccup: find out which subscription, mend the cause, then replay."
      conditions = [{
        title     = "Messages were moved to the dead letters"
        filter    = "metric.type=\"pubsub.googleapis.com/subscription/dead_letter_message_count\" resource.type=\"pubsub_subscription\""
        aligner   = "ALIGN_DELTA"
        group_by  = ["resource.label.subscription_id"]
        period    = "300s"
        threshold = 0
      }]
    }

    backlog = {
      title    = "Backlog"
      severity = "ERROR"
      text     = "The oldest message of a subscription has waited for more than ten minutes. Shoppers wait with it if it is jobs-worker, render or Eventarc's. No GPU quota, a failing revision and a paused subscription look the same from here."
      conditions = [{
        title     = "The oldest message is older than 10 minutes"
        filter    = "metric.type=\"pubsub.googleapis.com/subscription/oldest_unacked_message_age\" resource.type=\"pubsub_subscription\""
        aligner   = "ALIGN_MAX"
        group_by  = ["resource.label.subscription_id"]
        period    = "60s"
        threshold = 600
        duration  = "120s"
      }]
    }

    budget = {
      title    = "Budget"
      severity = "ERROR"
      text     = "The worker's instances cost more in the last 24 hours than they may. The bill will say so tomorrow. Pause warming or limit the instances, both mitigations of this policy where they are set, and look for who sends the jobs."
      conditions = [{
        title = "The worker cost more than its budget of a day"
        query = "sum(increase(run_googleapis_com:container_billable_instance_time{monitored_resource=\"cloud_run_revision\",service_name=\"${local.worker_name}\"}[24h])) * ${local.worker_usd_per_second} > ${var.budget.worker_usd_per_day}"
      }]
    }

    uptime = {
      title    = "API unreachable"
      severity = "CRITICAL"
      text     = "The API can't be reached from outside through the load balancer: its certificate, its DNS, the rate limit or the function job_status."
      conditions = [{
        title     = "Checks fail from two places or more"
        filter    = "metric.type=\"monitoring.googleapis.com/uptime_check/check_passed\" resource.type=\"uptime_url\" metric.labels.check_id=\"${google_monitoring_uptime_check_config.api.uptime_check_id}\""
        aligner   = "ALIGN_NEXT_OLDER"
        reducer   = "REDUCE_COUNT_FALSE"
        group_by  = ["resource.label.host"]
        period    = "120s"
        threshold = 1
        duration  = "120s"
      }]
    }
    }, {
    for each in setproduct(keys(local.objectives), keys(local.windows)) : "slo-${each[0]}-${each[1]}" => {
      title    = "SLO ${each[0]}, ${each[1]} burn"
      severity = local.windows[each[1]].severity
      combiner = "AND"
      text     = "${local.objectives[each[0]].text}: less and less often. At this pace, ${local.windows[each[1]].gone}. The other alerts say what is wrong; this one says that shoppers notice."
      conditions = [
        for window in [local.windows[each[1]].long, local.windows[each[1]].short] : {
          title     = "Errors are ${local.windows[each[1]].rate} times as many as 99.9% allows, over ${window}"
          filter    = "select_slo_burn_rate(\"${google_monitoring_slo.this[each[0]].id}\", \"${window}\")"
          threshold = local.windows[each[1]].rate
        }
      ]
    }
  })
}

resource "google_monitoring_alert_policy" "this" {
  for_each = local.alerts

  display_name          = each.value.title
  severity              = each.value.severity
  combiner              = try(each.value.combiner, "OR")
  notification_channels = concat([google_monitoring_notification_channel.alerts.id], [for channel in google_monitoring_notification_channel.email : channel.id])

  documentation {
    content   = each.value.text
    mime_type = "text/markdown"

    links {
      display_name = "Runbook"
      url          = "${var.runbooks_url}#runbook-${each.key}"
    }

    links {
      display_name = "Dashboard"
      url          = local.dashboard_url
    }
  }

  dynamic "conditions" {
    for_each = each.value.conditions
    content {
      display_name = conditions.value.title

      dynamic "condition_threshold" {
        for_each = contains(keys(conditions.value), "filter") ? [conditions.value] : []
        content {
          filter             = condition_threshold.value.filter
          denominator_filter = try(condition_threshold.value.denominator, null)
          comparison         = "COMPARISON_GT"
          threshold_value    = condition_threshold.value.threshold
          duration           = try(condition_threshold.value.duration, "0s")

          dynamic "aggregations" {
            for_each = contains(keys(condition_threshold.value), "aligner") ? [condition_threshold.value] : []
            content {
              alignment_period     = aggregations.value.period
              per_series_aligner   = aggregations.value.aligner
              cross_series_reducer = try(aggregations.value.reducer, "REDUCE_SUM")
              group_by_fields      = try(aggregations.value.group_by, null)
            }
          }

          dynamic "denominator_aggregations" {
            for_each = contains(keys(condition_threshold.value), "denominator") ? [condition_threshold.value] : []
            content {
              alignment_period     = denominator_aggregations.value.period
              per_series_aligner   = denominator_aggregations.value.aligner
              cross_series_reducer = "REDUCE_SUM"
              group_by_fields      = try(denominator_aggregations.value.group_by, null)
            }
          }
        }
      }

      # The metric may not be there yet: nothing was ever counted, or Monitoring has not heard of it. So a condition on a
      # metric of our own is a query; for the others there is no leave from being checked.
      dynamic "condition_prometheus_query_language" {
        for_each = contains(keys(conditions.value), "query") ? [conditions.value] : []
        content {
          query                     = condition_prometheus_query_language.value.query
          duration                  = "300s"
          evaluation_interval       = "60s"
          disable_metric_validation = true
        }
      }

      dynamic "condition_matched_log" {
        for_each = contains(keys(conditions.value), "log") ? [conditions.value] : []
        content {
          filter = "${try(condition_matched_log.value.in, local.in_logs)} ${condition_matched_log.value.log}"
        }
      }
    }
  }

  alert_strategy {
    auto_close = "3600s"

    # Only a policy on log lines may have one, and must.
    dynamic "notification_rate_limit" {
      for_each = anytrue([for condition in each.value.conditions : contains(keys(condition), "log")]) ? [1] : []
      content {
        period = "300s"
      }
    }
  }

  lifecycle {
    precondition {
      condition     = alltrue([for rule in var.alerts.mitigations : contains([for alert in local.alerts : alert.title], rule.policy)])
      error_message = "A mitigation names a policy that there is not."
    }
  }

  depends_on = [google_monitoring_slo.this]
}
