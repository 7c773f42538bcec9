mock_provider "google" {
  source          = "./tests/mocks"
  override_during = plan
}

run "by_default" {
  command = plan

  # Every alert says what to do and tells the topic.
  assert {
    condition = alltrue([
      for key, policy in google_monitoring_alert_policy.this :
      length(policy.documentation[0].content) > 80
      && policy.documentation[0].links[0].display_name == "Runbook"
      && policy.documentation[0].links[0].url == "${var.runbooks_url}#runbook-${key}"
      && contains(policy.notification_channels, google_monitoring_notification_channel.alerts.id)
    ])
    error_message = "An alert has no runbook, or nobody hears of it."
  }

  assert {
    condition     = google_monitoring_notification_channel.alerts.labels == tomap({ topic = google_pubsub_topic.this["alerts"].id })
    error_message = "Alerts go to the topic from which on_alert takes them."
  }

  assert {
    condition     = google_pubsub_topic_iam_member.monitoring.member == "serviceAccount:service-123456789012@gcp-sa-monitoring-notification.iam.gserviceaccount.com"
    error_message = "Monitoring's own account publishes alerts."
  }

  assert {
    condition = toset([for policy in google_monitoring_alert_policy.this : policy.display_name]) == toset([
      "API unreachable", "Backlog", "Budget", "Builds", "Catalogues", "Cold starts", "Dead letters", "Error rate", "Failed jobs", "Latency", "Logged errors",
      "SLO api, fast burn", "SLO api, slow burn", "SLO jobs, fast burn", "SLO jobs, slow burn", "Worker errors",
    ])
    error_message = "There are other alerts than those listed here."
  }

  # Every condition has one kind.
  assert {
    condition = alltrue(flatten([
      for policy in google_monitoring_alert_policy.this : [
        for condition in policy.conditions :
        length(condition.condition_threshold) + length(condition.condition_prometheus_query_language) + length(condition.condition_matched_log) == 1
      ]
    ]))
    error_message = "A condition is of no kind, or of several."
  }

  assert {
    condition = alltrue([
      for policy in google_monitoring_alert_policy.this :
      anytrue([for condition in policy.conditions : length(condition.condition_matched_log) == 1])
      ? length(policy.conditions) == 1 && length(policy.alert_strategy[0].notification_rate_limit) == 1
      : length(policy.alert_strategy[0].notification_rate_limit) == 0
    ])
    error_message = "A policy on log lines has one condition and a limit of notifications; no other has one."
  }

  # What runs beside the services fails loudly too.
  assert {
    condition     = google_monitoring_alert_policy.this["catalogue"].conditions[0].condition_matched_log[0].filter == "resource.type=\"cloud_run_job\" severity>=ERROR"
    error_message = "An error of a catalogue is told."
  }

  assert {
    condition     = startswith(google_monitoring_alert_policy.this["build"].conditions[0].condition_matched_log[0].filter, "resource.type=\"build\" ")
    error_message = "A build that fails is told."
  }

  assert {
    condition = alltrue([
      for key in ["failed-jobs", "logged-errors"] :
      startswith(google_monitoring_alert_policy.this[key].conditions[0].condition_matched_log[0].filter, "resource.type=\"cloud_run_revision\" ")
    ])
    error_message = "Errors of the services are told as such."
  }

  # No alert is refused for a metric of our own that is new.
  # Monitoring refuses a filter on a metric that it has not heard of, which takes minutes after the metric was made.
  assert {
    condition = alltrue(flatten([
      for policy in google_monitoring_alert_policy.this : [
        for condition in policy.conditions : [
          for threshold in condition.condition_threshold : !strcontains(threshold.filter, "logging.googleapis.com/user/")
        ]
      ]
    ]))
    error_message = "A condition on a metric of our own is a query, which may name what is not known yet."
  }

  assert {
    condition     = google_monitoring_alert_policy.this["cold-starts"].conditions[0].condition_prometheus_query_language[0].query == "sum(increase(logging_googleapis_com:user_cutout_worker_starts{monitored_resource=\"cloud_run_revision\"}[1h])) > 12"
    error_message = "More than 12 starts in an hour are too many."
  }

  # Burn rates are those of two windows.
  assert {
    condition = alltrue([
      for policy in [google_monitoring_alert_policy.this["slo-jobs-fast"], google_monitoring_alert_policy.this["slo-api-fast"]] :
      policy.combiner == "AND" && [for condition in policy.conditions : condition.condition_threshold[0].threshold_value] == [14.4, 14.4]
    ])
    error_message = "A fast burn is 14.4 times over one hour and five minutes."
  }

  assert {
    condition = alltrue([
      for policy in [google_monitoring_alert_policy.this["slo-jobs-slow"], google_monitoring_alert_policy.this["slo-api-slow"]] :
      policy.combiner == "AND" && [for condition in policy.conditions : condition.condition_threshold[0].threshold_value] == [6, 6]
    ])
    error_message = "A slow burn is 6 times over six hours and thirty minutes."
  }

  assert {
    condition     = [for condition in google_monitoring_alert_policy.this["slo-jobs-slow"].conditions : regex("\"([0-9]+s)\"", condition.condition_threshold[0].filter)[0]] == ["21600s", "1800s"]
    error_message = "The slow windows are six hours and thirty minutes."
  }

  assert {
    condition     = alltrue([for slo in google_monitoring_slo.this : slo.goal == 0.999])
    error_message = "The objectives are 99.9%."
  }

  # The dashboard shows what was asked for.
  assert {
    condition     = length(jsondecode(google_monitoring_dashboard.this.dashboard_json).mosaicLayout.tiles) == 19
    error_message = "The dashboard has 19 charts."
  }

  assert {
    condition     = alltrue([for tile in jsondecode(google_monitoring_dashboard.this.dashboard_json).mosaicLayout.tiles : tile.xPos + tile.width <= 48])
    error_message = "A chart stands outside of the dashboard."
  }
}

run "a_mitigation_of_a_policy_that_there_is_not_is_refused" {
  command = plan

  variables {
    alerts = { mitigations = [{ policy = "Worker error", action = "rollback", service = "gpu-worker" }] }
  }

  expect_failures = [google_monitoring_alert_policy.this]
}

run "a_bill_has_a_budget_where_its_account_is_known" {
  command = plan

  variables {
    budget       = { billing_account = "000000-000000-000000", usd_per_month = 200 }
    alert_emails = { owner = "owner@example.com" }
  }

  assert {
    condition     = google_billing_budget.this["month"].amount[0].specified_amount[0].units == "200" && length(google_billing_budget.this["month"].all_updates_rule[0].monitoring_notification_channels) == 1
    error_message = "The budget is that of the variable, and told by mail."
  }
}
