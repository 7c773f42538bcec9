# How commits get here: cloudbuild.yaml, run in production's project, as one account that delivers to both projects.
#
# It applies this module, so it can do what the module does: make accounts and act as them, say who else may, change
# roles of the project's own, start builds. That is enough to take over both projects, so whoever's commit is built here
# could. What bounds it: a trigger builds one branch of one repository, and each build waits for an approval. That comes
# first, before the tests and before staging, so it is a look at the commit and not at what staging made of it. That the
# account is not owner, and of roles in the project grants only those that the module gives there, keeps mistakes small,
# and nobody out who means it. Rights on the billing account (the budget) are a person's to give.

variable "delivery" {
  description = <<-EOT
    Where commits come from; null for no delivery. In production: `repository`, connected to Cloud Build by hand
    (projects/P/locations/R/connections/C/repositories/N; without it there is no trigger, and builds are submitted), the
    `branch` as a regular expression, the `staging` project, and the `quotas` of GPUs of both (the smaller one of two
    regions). In staging: `account`, which production's module makes.
  EOT
  type = object({
    repository = optional(string)
    branch     = optional(string, "^main$")
    staging    = optional(string)
    account    = optional(string)
    quotas     = optional(object({ staging = optional(number, 3), production = optional(number, 3) }), {})
  })
  default = null

  validation {
    condition     = try(var.delivery.repository, null) == null || can(regex("^projects/[^/]+/locations/[^/]+/connections/[^/]+/repositories/[^/]+$", var.delivery.repository))
    error_message = "A repository is projects/PROJECT/locations/REGION/connections/CONNECTION/repositories/NAME."
  }

  validation {
    condition     = try(var.delivery.repository, null) == null || (try(var.delivery.staging, null) != null && try(var.delivery.account, null) == null)
    error_message = "A trigger needs the project of staging, and runs as the account that is made here."
  }
}

locals {
  # The account is made where builds run.
  deliverers = toset(var.delivery != null && try(var.delivery.account, null) == null ? ["delivery"] : [])
  deliverer  = var.delivery == null ? null : try(google_service_account.delivery["delivery"].member, "serviceAccount:${var.delivery.account}")

  # One for each kind of resource that the module makes. The rollout of the worker needs nothing beyond them.
  delivery_roles = toset([
    "roles/artifactregistry.admin",
    "roles/bigquery.dataOwner",
    "roles/cloudbuild.builds.editor",
    "roles/cloudfunctions.admin",
    "roles/cloudscheduler.admin",
    "roles/compute.loadBalancerAdmin",
    "roles/compute.securityAdmin",
    "roles/eventarc.admin",
    "roles/iam.roleAdmin",
    "roles/iam.serviceAccountAdmin",
    "roles/iam.serviceAccountUser",
    "roles/logging.configWriter",
    "roles/logging.logWriter",
    "roles/monitoring.editor",
    "roles/pubsub.admin",
    "roles/run.admin",
    "roles/secretmanager.admin",
    "roles/serviceusage.serviceUsageAdmin",
    "roles/storage.admin",
  ])

  # What it may grant in the project: what the module grants there.
  granted_roles = sort(distinct(concat(
    ["roles/eventarc.eventReceiver", "roles/eventarc.serviceAgent", "roles/logging.logWriter"],
    ["roles/pubsub.publisher", "roles/storage.objectViewer"],
    ["roles/telemetry.metricsWriter", "roles/telemetry.tracesWriter"],
    flatten([for function in local.function_specs : function.roles]),
  )))

  # What changes nothing that runs.
  not_delivered = ["**/*.md", ".github/**", ".gitignore", "assets/**", "bench/**", "docs/**"]
}

resource "google_service_account" "delivery" {
  for_each = local.deliverers

  account_id   = "delivery"
  display_name = "Builds that deliver to staging and production"
}

resource "google_project_iam_member" "delivery" {
  for_each = var.delivery == null ? [] : local.delivery_roles

  project = var.project
  role    = each.key
  member  = local.deliverer
}

resource "google_project_iam_member" "delivery_grants" {
  for_each = toset(var.delivery == null ? [] : ["roles/resourcemanager.projectIamAdmin"])

  project = var.project
  role    = each.key
  member  = local.deliverer

  condition {
    title       = "the module's own grants"
    description = "Only the roles that functions, worker and Google's own accounts are given in the project"
    expression  = "api.getAttribute('iam.googleapis.com/modifiedGrantsByRole', []).hasOnly([${join(", ", [for role in local.granted_roles : "'${role}'"])}])"
  }
}

# The key of both projects' tenant `smoke`, for the photos that a build sends through their public APIs. Its value is
# given by hand: printf KEY | gcloud secrets versions add smoke-key --data-file=-
resource "google_secret_manager_secret" "smoke_key" {
  for_each = local.deliverers

  secret_id           = "smoke-key"
  deletion_protection = var.deletion_protection

  replication {
    user_managed {
      replicas {
        location = var.region
      }
    }
  }

  depends_on = [google_project_service.this]
}

resource "google_secret_manager_secret_iam_member" "smoke_key" {
  for_each = local.deliverers

  secret_id = google_secret_manager_secret.smoke_key[each.key].id
  role      = "roles/secretmanager.secretAccessor"
  member    = google_service_account.delivery[each.key].member
}

resource "google_cloudbuild_trigger" "delivery" {
  for_each = try(var.delivery.repository, null) == null ? [] : local.deliverers

  name            = each.key
  location        = var.region
  description     = "Commits, once approved, to staging and then to production"
  service_account = google_service_account.delivery[each.key].id
  filename        = "cloudbuild.yaml"
  ignored_files   = local.not_delivered

  repository_event_config {
    repository = var.delivery.repository
    push {
      branch = var.delivery.branch
    }
  }

  approval_config {
    approval_required = true
  }

  substitutions = {
    _PRODUCTION_QUOTA = tostring(var.delivery.quotas.production)
    _REGION           = var.region
    _STAGING_PROJECT  = var.delivery.staging
    _STAGING_QUOTA    = tostring(var.delivery.quotas.staging)
  }

  depends_on = [google_project_service.this]
}

# What the rollout of the worker has to know: terraform/apply.sh.
output "active_region" {
  description = "Region whose worker gets the jobs."
  value       = local.active_region
}

output "standby_region" {
  description = "Region whose worker stands by; empty where there is none."
  value       = join("", [for region in local.worker_regions : region if region != local.active_region])
}

output "catalogue_region" {
  description = "Region of the job for catalogues; empty where there is none."
  value       = join("", values(google_cloud_run_v2_job.catalogue)[*].location)
}

output "model" {
  description = "The model id that the functions look up the cache by."
  value       = var.model
}
