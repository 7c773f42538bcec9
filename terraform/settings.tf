# The environment of each deployable: what it reads, all of it and nothing else. tests/unit/terraform compares.

variable "expected_seconds" {
  description = "Typical durations, from which the status of a job tells how long it will still take."
  type = object({
    cold_start = optional(number, 20)
    network    = optional(number, 2)
    render     = optional(number, 1)
  })
  default = {}
}

variable "warming" {
  description = "Whether and how far ahead a worker is woken: docs/warming.md."
  type = object({
    policy                = optional(string, "economic")
    usd_per_second        = optional(number, 0.01)
    daily_usd             = optional(string, "5")
    intents_share         = optional(string, "0.3")
    stages                = optional(map(object({ likelihood = number, seconds = number, prompt = optional(bool, false) })), {})
    zone                  = optional(string, "America/New_York")
    every_minutes         = optional(number, 15)
    first_hour            = optional(number, 8)
    last_hour             = optional(number, 21)
    prior_jobs_per_hour   = optional(number, 0.1)
    precompute_daily_usd  = optional(string, "0.10")
    precompute_recipes    = optional(number, 3)
    precompute_requests   = optional(number, 10)
    precompute_demand     = optional(number, 7)
    precompute_photo_days = optional(number, 3)
  })
  default = {}

  validation {
    condition     = contains(["economic", "schedule", "off"], var.warming.policy)
    error_message = "The policy of warming is economic, schedule or off."
  }
}

variable "webhooks" {
  description = "How receivers are told: seconds of an attempt, of the first and the longest pause, until giving up, and of a link's life. Who they are is a secret."
  type = object({
    timeout_seconds       = optional(number, 10)
    first_pause_seconds   = optional(number, 30)
    longest_pause_seconds = optional(number, 14400)
    window_seconds        = optional(number, 86400)
    link_seconds          = optional(number, 43200)
  })
  default = {}
}

variable "alerts" {
  description = "What is done about which alert policy (by its display name, alerts/rules.py), and whether that is only told."
  type = object({
    mitigations = optional(list(object({
      policy    = string
      action    = string
      service   = optional(string)
      instances = optional(number)
      minutes   = optional(number)
    })), [])
    dry_run = optional(bool, false)
  })
  default = {}

  validation {
    condition     = alltrue([for rule in var.alerts.mitigations : contains(["rollback", "pause_warming", "cap_instances"], rule.action)])
    error_message = "A mitigation is rollback, pause_warming or cap_instances."
  }
}

variable "telemetry" {
  description = "Traces and metrics of our own, by OTLP to Google's Telemetry API (cloud) or nowhere (off). Functions and worker alike."
  type = object({
    traces           = optional(string, "cloud")
    metrics          = optional(string, "cloud")
    sample_ratio     = optional(number, 1)
    interval_seconds = optional(number, 60)
    flush_seconds    = optional(number, 0.5)
  })
  default = {}

  validation {
    condition     = alltrue([for target in [var.telemetry.traces, var.telemetry.metrics] : contains(["cloud", "off"], target)])
    error_message = "Traces and metrics go to the cloud, or are off."
  }
}

variable "breaker" {
  description = "When a circuit opens: so many failures in a row, within so many seconds; and after what pause it is tried again."
  type = object({
    failures       = optional(number, 5)
    window_seconds = optional(number, 60)
    pause_seconds  = optional(number, 30)
  })
  default = {}
}

variable "rate_limits" {
  description = "Limits of the functions themselves, by client and by tenant, such as { request_upload = { address = \"120/minute\", tenant = \"off\" } }. What is not given has the defaults of functions/rate_limit_settings.py. Each instance counts for itself, or all together in a Redis: rate_limits_redis."
  type = map(object({
    address = optional(string)
    tenant  = optional(string)
  }))
  default = {}
}

variable "rate_limits_redis" {
  description = <<-EOT
    The network and the subnetwork (of this region) in which there is a Redis, such as Memorystore's: the public functions
    then count requests together in it, and reach it by direct VPC egress. Its URL, redis://:PASSWORD@HOST:PORT/0 or
    rediss://..., is a version of the secret rate-limit-storage. Null: there is none, and each instance counts for itself.
  EOT
  type = object({
    network    = string
    subnetwork = string
  })
  default = null
}

variable "content_secret_version" {
  description = "Version of the secret that names what is stored. Worker and functions must have the same one, so it is pinned: with another, nothing that is stored is found again."
  type        = string
  default     = "1"
}

locals {
  public_url  = "https://${local.domain}"
  mitigations = [for rule in var.alerts.mitigations : { for name, value in rule : name => value if value != null }]

  # Groups of variables as the code reads them. A deployable names its groups: functions in functions.tf.
  settings = {
    project = {
      PROJECT        = var.project
      UPLOADS_BUCKET = google_storage_bucket.this["uploads"].name
      MATTES_BUCKET  = google_storage_bucket.this["mattes"].name
      RESULTS_BUCKET = google_storage_bucket.this["results"].name
      JOBS_BUCKET    = google_storage_bucket.this["jobs"].name
      ASSETS_BUCKET  = google_storage_bucket.this["assets"].name
      LOG_FORMAT     = "json"
    }

    telemetry = {
      TRACES                   = var.telemetry.traces
      METRICS                  = var.telemetry.metrics
      TRACES_SAMPLE_RATIO      = var.telemetry.sample_ratio
      METRICS_INTERVAL_SECONDS = var.telemetry.interval_seconds
      TELEMETRY_FLUSH_SECONDS  = var.telemetry.flush_seconds
    }

    function = {
      REGION = var.region
      MODEL  = var.model
    }

    api = {
      TENANTS                     = jsonencode(var.tenants)
      PUBLIC_URL                  = local.public_url
      EXPECTED_COLD_START_SECONDS = var.expected_seconds.cold_start
      EXPECTED_NETWORK_SECONDS    = var.expected_seconds.network
      EXPECTED_RENDER_SECONDS     = var.expected_seconds.render
    }

    webhooks = {
      WEBHOOK_TIMEOUT_SECONDS       = var.webhooks.timeout_seconds
      WEBHOOK_FIRST_PAUSE_SECONDS   = var.webhooks.first_pause_seconds
      WEBHOOK_LONGEST_PAUSE_SECONDS = var.webhooks.longest_pause_seconds
      WEBHOOK_WINDOW_SECONDS        = var.webhooks.window_seconds
      WEBHOOK_LINK_SECONDS          = var.webhooks.link_seconds
      RESULT_LIFETIME_SECONDS       = var.retention_days.results * 86400
    }

    warehouse = {
      DATASET                   = google_bigquery_dataset.this.dataset_id
      BIGQUERY_DEADLINE_SECONDS = 30
    }

    breaker = {
      BREAKER_FAILURES       = var.breaker.failures
      BREAKER_WINDOW_SECONDS = var.breaker.window_seconds
      BREAKER_PAUSE_SECONDS  = var.breaker.pause_seconds
    }

    rate_limits = {
      RATE_LIMITS     = jsonencode(var.rate_limits) # where they are counted is a secret, or left at memory://
      TRUSTED_PROXIES = 1                           # the load balancer, which writes its own address behind the client's
    }

    instance = {
      INSTANCE_VCPUS = var.worker.vcpus
      INSTANCE_GIB   = var.worker.gib
      INSTANCE_GPUS  = 1
    }

    reconciliation = {
      WORKER_SERVICE   = local.worker_name
      WORKER_REGIONS   = join(",", local.worker_regions)                   # an instance idles on where the jobs went before
      RECONCILED_HOURS = 24 * min(30, var.retention_days.dead_letters + 1) # a cost can be as late as its letter is replayed
    }

    warming = {
      WARMING_POLICY              = var.warming.policy
      WARMING_USD_PER_SECOND      = var.warming.usd_per_second
      WARMING_DAILY_USD           = var.warming.daily_usd
      WARMING_INTENTS_SHARE       = var.warming.intents_share
      WARMING_STAGES              = jsonencode(var.warming.stages)
      WARMING_ZONE                = var.warming.zone
      WARMING_EVERY_MINUTES       = var.warming.every_minutes
      WARMING_FIRST_HOUR          = var.warming.first_hour
      WARMING_LAST_HOUR           = var.warming.last_hour
      WARMING_TICK_SECONDS        = 60
      WARMING_PRIOR_JOBS_PER_HOUR = var.warming.prior_jobs_per_hour
      EXPECTED_COLD_START_SECONDS = var.expected_seconds.cold_start
      WORKER_SERVICE              = local.worker_name
      WORKER_REGION               = local.active_region
    }

    precompute = {
      PRECOMPUTE_DAILY_USD        = var.warming.precompute_daily_usd
      PRECOMPUTE_RECIPES          = var.warming.precompute_recipes
      PRECOMPUTE_MINIMUM_REQUESTS = var.warming.precompute_requests
      PRECOMPUTE_DEMAND_DAYS      = var.warming.precompute_demand
      PRECOMPUTE_PHOTO_DAYS       = min(var.warming.precompute_photo_days, var.retention_days.uploads)
      EXPECTED_RENDER_SECONDS     = var.expected_seconds.render
    }

    # Where results are given out, if by the CDN. Its key is a secret.
    cdn = {
      CDN_HOST = local.cdn_domain
    }

    dead_letters = {
      DEAD_LETTERS_BUCKET = google_storage_bucket.this["dead-letters"].name
    }

    alerts = {
      WORKER_REGION     = local.active_region
      ALERT_MITIGATIONS = jsonencode(local.mitigations)
      ALERT_PAGES       = jsonencode({ runbook = var.runbooks_url, dashboard = local.dashboard_url })
      ALERT_DRY_RUN     = var.alerts.dry_run
    }

    worker = {
      DEVICE               = "cuda"
      PRECISION            = var.worker.precision
      CONCURRENCY          = var.worker.largest_batch
      MAX_PENDING          = 2 * var.worker.largest_batch
      BATCH_WINDOW_SECONDS = 0.1
      PUSH_AUDIENCE        = local.worker_audience
      PUSH_SENDER          = google_service_account.push.email
    }
  }

  # What sends traces and metrics needs, where it does.
  telemetry_roles = compact([
    var.telemetry.traces == "cloud" ? "roles/telemetry.tracesWriter" : "",
    var.telemetry.metrics == "cloud" ? "roles/telemetry.metricsWriter" : "",
  ])

  worker_groups   = ["project", "telemetry", "instance", "worker"]
  worker_settings = merge([for group in local.worker_groups : local.settings[group]]...)
}
