locals {
  worker_name    = "gpu-worker"
  active_region  = coalesce(var.active_region, var.region)
  worker_regions = toset(compact([var.region, var.second_region]))

  # What pushes ask their token for, and the worker expects: the same under the URL of a tagged revision.
  worker_audience = "https://${local.worker_name}.${var.project}"
}

resource "google_service_account" "worker" {
  account_id   = "gpu-worker"
  display_name = "The worker, as a service and as a job"
}

resource "google_cloud_run_v2_service" "worker" {
  for_each = local.worker_regions

  name                = local.worker_name
  location            = each.key
  description         = "Removes backgrounds: jobs that no cache answers"
  deletion_protection = var.deletion_protection

  # Pushes of this project's Pub/Sub count as internal.
  ingress          = "INGRESS_TRAFFIC_INTERNAL_ONLY"
  custom_audiences = [local.worker_audience]

  template {
    service_account = google_service_account.worker.email

    # As long as Pub/Sub waits for a push. Requests are taken in while the worker starts.
    timeout = "600s"

    # One batch on the GPU and the next being decoded. The default, 80 a vCPU, would keep one instance with everything.
    max_instance_request_concurrency = 2 * var.worker.largest_batch

    # With redundancy an L4 costs half as much again, for an outage of a zone that a retry survives.
    gpu_zonal_redundancy_disabled = true

    node_selector {
      accelerator = "nvidia-l4"
    }

    scaling {
      min_instance_count = 0
      max_instance_count = var.worker.max_instances
    }

    containers {
      image = var.worker_image

      resources {
        limits = {
          cpu              = tostring(var.worker.vcpus)
          memory           = "${var.worker.gib}Gi"
          "nvidia.com/gpu" = "1"
        }
        # A GPU needs the CPU between requests too, and is billed for all of its life anyway.
        cpu_idle          = false
        startup_cpu_boost = true
      }

      ports {
        container_port = 8080
      }

      dynamic "env" {
        for_each = merge(local.worker_settings, { REGION = each.key })
        content {
          name  = env.key
          value = tostring(env.value)
        }
      }

      env {
        name = local.secrets.content.variable
        value_source {
          secret_key_ref {
            secret  = google_secret_manager_secret.this["content"].secret_id
            version = local.secrets.content.version
          }
        }
      }

      # Ready once the weights are loaded and one warm pass ran. TCP, the default, would be ready before.
      startup_probe {
        period_seconds    = 2
        timeout_seconds   = 2
        failure_threshold = 120
        http_get {
          path = "/health"
        }
      }

      # A network that fails on a blank photo too does not come back by itself.
      liveness_probe {
        period_seconds    = 30
        timeout_seconds   = 10
        failure_threshold = 3
        http_get {
          path = "/livez"
        }
      }
    }
  }

  # Which image serves and how much of the traffic it gets is the rollout's business, and in an incident on_alert's,
  # which leaves notes in the annotations and lowers the limit of the service.
  lifecycle {
    ignore_changes = [
      annotations,
      client,
      client_version,
      scaling,
      template[0].annotations,
      template[0].containers[0].image,
      template[0].labels,
      template[0].revision,
      traffic,
    ]
  }

  depends_on = [google_project_service.this, google_secret_manager_secret_iam_member.worker]
}

resource "google_cloud_run_v2_service_iam_member" "push" {
  for_each = google_cloud_run_v2_service.worker

  location = each.value.location
  name     = each.value.name
  role     = "roles/run.invoker"
  member   = google_service_account.push.member
}

resource "google_storage_bucket_iam_member" "worker" {
  for_each = {
    for grant in flatten([
      for bucket, rights in {
        uploads = ["read", "delete"]
        mattes  = ["read", "create"]
        results = ["read", "create"]
        jobs    = ["read", "create"]
        assets  = ["read"]
      } : [for right in rights : { bucket = bucket, right = right }]
    ]) : "${grant.right} ${grant.bucket}" => grant
  }

  bucket = google_storage_bucket.this[each.value.bucket].name
  role   = local.object_roles[each.value.right]
  member = google_service_account.worker.member
}

resource "google_pubsub_topic_iam_member" "worker" {
  for_each = toset(["costs", "results"])

  topic  = google_pubsub_topic.this[each.key].id
  role   = "roles/pubsub.publisher"
  member = google_service_account.worker.member
}

resource "google_project_iam_member" "worker" {
  for_each = toset(local.telemetry_roles)

  project = var.project
  role    = each.key
  member  = google_service_account.worker.member
}
