output "address" {
  description = "Where the A records of the domain point to."
  value       = google_compute_global_address.this.address
}

output "api_url" {
  description = "Where storefronts reach the API."
  value       = local.public_url
}

output "worker" {
  description = "The worker's service and the region that gets the jobs."
  value       = { service = local.worker_name, region = local.active_region, audience = local.worker_audience }
}

output "push_account" {
  description = "Whose token a push to the worker carries: a temporary subscription of a rollout uses it too."
  value       = google_service_account.push.email
}

output "worker_repository" {
  description = "Where images of the worker are pushed."
  value       = "${var.region}-docker.pkg.dev/${var.project}/${google_artifact_registry_repository.this["worker"].repository_id}"
}

output "secrets" {
  description = "Secrets that need a version before the first full apply."
  value       = [for name in local.secrets_in_use : google_secret_manager_secret.this[name].secret_id]
}
