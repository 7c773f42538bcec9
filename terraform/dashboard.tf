locals {
  dashboard_url = "https://console.cloud.google.com/monitoring/dashboards/builder/${basename(google_monitoring_dashboard.this.id)}?project=${var.project}"

  quantiles = { p50 = 0.5, p95 = 0.95, p99 = 0.99 }

  # A chart is a title, what it shows, and queries by the name of their line. Metrics `cutout_*` are those of jobs/metrics.py.
  charts = [
    {
      title   = "Cold starts in an hour"
      queries = { starts = "sum(increase(logging_googleapis_com:user_cutout_worker_starts{monitored_resource=\"cloud_run_revision\"}[1h]))" }
    },
    {
      title   = "Duration of a cold start, s"
      queries = { for name, quantile in local.quantiles : name => "histogram_quantile(${quantile}, sum by (le) (rate(run_googleapis_com:container_startup_latencies_bucket{monitored_resource=\"cloud_run_revision\",service_name=\"${local.worker_name}\"}[1h]))) / 1000" }
    },
    {
      title   = "Photo requested to result, s"
      queries = { for name, quantile in local.quantiles : name => "histogram_quantile(${quantile}, sum by (le) (rate(cutout_retrieval_seconds_bucket[5m])))" }
    },
    {
      title   = "p50 by stage, s"
      queries = { stage = "histogram_quantile(0.5, sum by (le, stage) (rate(cutout_stage_seconds_bucket[5m])))" }
    },
    {
      title   = "p95 by stage, s"
      queries = { stage = "histogram_quantile(0.95, sum by (le, stage) (rate(cutout_stage_seconds_bucket[5m])))" }
    },
    {
      title   = "p99 by stage, s"
      queries = { stage = "histogram_quantile(0.99, sum by (le, stage) (rate(cutout_stage_seconds_bucket[5m])))" }
    },
    {
      title   = "GPU utilisation"
      queries = { gpu = "histogram_quantile(0.95, sum by (le) (rate(run_googleapis_com:container_gpu_utilizations_bucket{monitored_resource=\"cloud_run_revision\",service_name=\"${local.worker_name}\"}[5m])))" }
    },
    {
      title = "GPU memory"
      queries = {
        share = "histogram_quantile(0.95, sum by (le) (rate(run_googleapis_com:container_gpu_memory_utilizations_bucket{monitored_resource=\"cloud_run_revision\",service_name=\"${local.worker_name}\"}[5m])))"
        bytes = "max by (use) (cutout_gpu_memory_bytes)"
      }
    },
    {
      title   = "Instances of the worker by state"
      queries = { instances = "sum by (state) (run_googleapis_com:container_instance_count{monitored_resource=\"cloud_run_revision\",service_name=\"${local.worker_name}\"})" }
    },
    {
      title   = "Answers of the cache"
      queries = { cache = "sum by (cache) (increase(logging_googleapis_com:user_cutout_cache_answers{monitored_resource=\"cloud_run_revision\"}[5m]))" }
    },
    {
      title   = "Jobs by outcome"
      queries = { jobs = "sum by (event, outcome) (increase(logging_googleapis_com:user_cutout_jobs{monitored_resource=\"cloud_run_revision\"}[5m]))" }
    },
    {
      title   = "Errors by function, a second"
      queries = { errors = "sum by (service_name) (rate(run_googleapis_com:request_count{monitored_resource=\"cloud_run_revision\",response_code_class=\"5xx\"}[5m]))" }
    },
    {
      title   = "Backlog, messages"
      queries = { backlog = "max by (subscription_id) (pubsub_googleapis_com:subscription_num_undelivered_messages{monitored_resource=\"pubsub_subscription\"})" }
    },
    {
      title   = "Oldest message, s"
      queries = { age = "max by (subscription_id) (pubsub_googleapis_com:subscription_oldest_unacked_message_age{monitored_resource=\"pubsub_subscription\"})" }
    },
    {
      title   = "Dead letters in an hour"
      queries = { letters = "sum by (subscription_id) (increase(pubsub_googleapis_com:subscription_dead_letter_message_count{monitored_resource=\"pubsub_subscription\"}[1h]))" }
    },
    {
      title   = "Cost of an image, USD"
      queries = { mean = "sum by (cache) (rate(cutout_image_cost_usd_sum[1h])) / sum by (cache) (rate(cutout_image_cost_usd_count[1h]))" }
    },
    {
      title   = "Worker's instances in a day, USD"
      queries = { usd = "sum(increase(run_googleapis_com:container_billable_instance_time{monitored_resource=\"cloud_run_revision\",service_name=\"${local.worker_name}\"}[1d])) * ${local.worker_usd_per_second}" }
    },
    {
      title   = "Warm-ups in a day by cause, USD at most"
      queries = { warming = "sum by (cause) (increase(logging_googleapis_com:user_cutout_warming_nano_usd_sum{monitored_resource=\"cloud_run_revision\"}[1d])) / 1e9" }
    },
    {
      title   = "Warm-ups by reason in an hour"
      queries = { warming = "sum by (action, reason) (increase(logging_googleapis_com:user_cutout_warming_decisions{monitored_resource=\"cloud_run_revision\"}[1h]))" }
    },
  ]

  columns = 3
}

resource "google_monitoring_dashboard" "this" {
  dashboard_json = jsonencode({
    displayName = "Cutout"
    mosaicLayout = {
      columns = 48
      tiles = [
        for number, chart in local.charts : {
          xPos   = (number % local.columns) * 16
          yPos   = floor(number / local.columns) * 12
          width  = 16
          height = 12
          widget = {
            title = chart.title
            xyChart = {
              dataSets = [
                for name, query in chart.queries : {
                  plotType        = "LINE"
                  legendTemplate  = length(chart.queries) > 1 ? name : null
                  timeSeriesQuery = { prometheusQuery = query }
                }
              ]
            }
          }
        }
      ]
    }
  })

  depends_on = [google_project_service.this, google_logging_metric.this]
}
