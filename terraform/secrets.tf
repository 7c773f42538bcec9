# Terraform makes the secrets and says who may read them. Their values never come near it: a state file would keep them.
locals {
  secrets = {
    content            = { variable = "CONTENT_SECRET", version = var.content_secret_version }
    webhooks           = { variable = "WEBHOOKS", version = "latest" }
    alert-receivers    = { variable = "ALERT_RECEIVERS", version = "latest" }
    cdn-key            = { variable = "CDN_KEY", version = "latest" }
    rate-limit-storage = { variable = "RATE_LIMIT_STORAGE", version = "latest" }
  }

  # Nobody reads the others, so they may stay empty.
  secrets_in_use = [
    for name in keys(local.secrets) : name
    if(name != "cdn-key" || var.cdn.signed) && (name != "rate-limit-storage" || var.rate_limits_redis != null)
  ]
}

resource "google_secret_manager_secret" "this" {
  for_each = local.secrets

  secret_id = each.key

  # Where the rest is, whatever regions have a worker: a secret that is kept elsewhere is another secret, and empty.
  replication {
    user_managed {
      replicas {
        location = var.region
      }
    }
  }

  # A version that is destroyed by mistake can be brought back for a week. A secret that is deleted takes all with it.
  version_destroy_ttl = "604800s"
  deletion_protection = var.deletion_protection

  depends_on = [google_project_service.this]
}

resource "google_secret_manager_secret_iam_member" "function" {
  for_each = merge([
    for name, function in local.function_specs : {
      for secret in function.secrets : "${name} ${secret}" => { function = name, secret = secret }
    }
  ]...)

  secret_id = google_secret_manager_secret.this[each.value.secret].id
  role      = "roles/secretmanager.secretAccessor"
  member    = google_service_account.function[each.value.function].member
}

resource "google_secret_manager_secret_iam_member" "worker" {
  secret_id = google_secret_manager_secret.this["content"].id
  role      = "roles/secretmanager.secretAccessor"
  member    = google_service_account.worker.member
}
