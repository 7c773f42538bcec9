locals {
  # What browsers may read of an answer, and must be allowed to send: the headers that the signature of an upload binds.
  signed_headers = [
    "Content-Type",
    "x-goog-content-length-range",
    "x-goog-if-generation-match",
    "x-goog-meta-recipes",
    "x-goog-meta-traceparent",
  ]
  origins = distinct(flatten([for tenant in var.tenants : tenant.origins]))

  buckets = {
    uploads = {
      days = var.retention_days.uploads
      cors = { methods = ["PUT"], headers = local.signed_headers }
    }
    mattes = {
      days = var.retention_days.mattes
    }
    results = {
      days = var.retention_days.results
      cors = { methods = ["GET", "HEAD"], headers = ["Content-Type", "Content-Length", "ETag"] }
    }
    jobs = {
      days = var.retention_days.jobs
      # Traces that are looked at for minutes or a day. All else lives as long as the records of jobs.
      shorter = {
        1 = ["~intents/"]
        3 = ["~activity/", "~precompute/", "~rates/", "~warming/"]
      }
    }
    dead-letters = {
      days = var.retention_days.dead_letters
    }
    # The shops' own backgrounds: put there by whoever keeps the shops, and nowhere else.
    assets = {
      kept = true
    }
  }
}

# What comes of photos is not kept for ever, and can be made again from a photo that its owner has: so there are no
# versions, and no soft delete, which would bill for a week what a shopper had deleted. Assets have both.
resource "google_storage_bucket" "this" {
  #checkov:skip=CKV_GCP_62: reads and writes are counted by metrics; a log line for each would cost more than the objects
  #checkov:skip=CKV_GCP_78: a version that outlives its object would keep a photo after its shopper deleted it; assets have versions
  for_each = local.buckets

  name                        = "${var.project}-${each.key}"
  location                    = var.region
  storage_class               = "STANDARD"
  uniform_bucket_level_access = true
  public_access_prevention    = "enforced"
  force_destroy               = !var.deletion_protection

  soft_delete_policy {
    retention_duration_seconds = try(each.value.kept, false) ? 604800 : 0
  }

  versioning {
    enabled = try(each.value.kept, false)
  }

  dynamic "lifecycle_rule" {
    for_each = try([each.value.days], [])
    content {
      action {
        type = "Delete"
      }
      condition {
        age = lifecycle_rule.value
      }
    }
  }

  lifecycle_rule {
    action {
      type = "AbortIncompleteMultipartUpload"
    }
    condition {
      age = 1
    }
  }

  dynamic "lifecycle_rule" {
    for_each = try(each.value.shorter, {})
    content {
      action {
        type = "Delete"
      }
      condition {
        age            = tonumber(lifecycle_rule.key)
        matches_prefix = lifecycle_rule.value
      }
    }
  }

  dynamic "cors" {
    for_each = length(local.origins) > 0 ? try([each.value.cors], []) : []
    content {
      origin          = local.origins
      method          = cors.value.methods
      response_header = cors.value.headers
      max_age_seconds = 3600
    }
  }

  depends_on = [google_project_service.this]
}

# Source archives of the functions, named after their content. Terraform deletes the one before; as a version it stays,
# and is what a rollback of a function deploys.
resource "google_storage_bucket" "source" {
  #checkov:skip=CKV_GCP_62: only deployments write here, and Cloud Audit Logs have those
  name                        = "${var.project}-source"
  location                    = var.region
  uniform_bucket_level_access = true
  public_access_prevention    = "enforced"
  force_destroy               = !var.deletion_protection

  versioning {
    enabled = true
  }

  lifecycle_rule {
    action {
      type = "Delete"
    }
    condition {
      num_newer_versions = 3
      with_state         = "ARCHIVED"
    }
  }

  depends_on = [google_project_service.this]
}
