# Whole catalogues at once: `gcloud run jobs execute catalogue --args=gs://BUCKET/MANIFEST,--tenant,NAME --tasks=N`.
# Tasks share the manifest, and what a task that was killed had done is found again.

variable "catalogue" {
  description = "The job for whole catalogues: how many tasks there are, and how many of them at most run at once, each with a GPU of the same quota as the service's; and the buckets that hold manifests and photos, besides that of the uploads. Null for no such job."
  type = object({
    tasks       = optional(number, 2)
    parallelism = optional(number, 2)
    buckets     = optional(set(string), [])
  })
  default = {}
}

resource "google_storage_bucket_iam_member" "catalogue" {
  for_each = var.catalogue == null ? toset([]) : var.catalogue.buckets

  bucket = each.key
  role   = local.object_roles["read"]
  member = google_service_account.worker.member
}

resource "google_cloud_run_v2_job" "catalogue" {
  for_each = var.catalogue == null ? {} : { catalogue = var.catalogue }

  name                = each.key
  location            = var.region
  deletion_protection = var.deletion_protection

  template {
    parallelism = each.value.parallelism
    task_count  = each.value.tasks

    template {
      service_account = google_service_account.worker.email

      # All that a task with a GPU may take; it goes on where it was when it is run again.
      timeout     = "3600s"
      max_retries = 3

      # A job with a GPU can only be without zonal redundancy, and has to say so.
      gpu_zonal_redundancy_disabled = true

      node_selector {
        accelerator = "nvidia-l4"
      }

      containers {
        image   = var.worker_image
        command = ["python", "-m", "gpu_worker.bulk"]

        resources {
          limits = {
            cpu              = tostring(var.worker.vcpus)
            memory           = "${var.worker.gib}Gi"
            "nvidia.com/gpu" = "1"
          }
        }

        dynamic "env" {
          for_each = merge(local.worker_settings, { REGION = var.region, TENANT_NAMES = join(",", var.tenants[*].name) })
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
      }
    }
  }

  # It gets an image once the rollout has promoted it, and so never one that nobody has proved: catalogue_image.sh.
  lifecycle {
    ignore_changes = [
      annotations,
      client,
      client_version,
      template[0].template[0].containers[0].image,
    ]
  }

  depends_on = [google_project_service.this, google_secret_manager_secret_iam_member.worker]
}
