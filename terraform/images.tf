locals {
  repositories = {
    worker    = "Images of the worker"
    functions = "Images that Cloud Functions builds"
  }
}

# An image of the worker has several GB: old ones are deleted, the newest ones stay for rollbacks however old they are.
resource "google_artifact_registry_repository" "this" {
  #checkov:skip=CKV_GCP_84: images hold no secrets; Google's own key encrypts them
  for_each = local.repositories

  repository_id = each.key
  location      = var.region
  format        = "DOCKER"
  description   = each.value

  cleanup_policies {
    id     = "keep-the-newest"
    action = "KEEP"
    most_recent_versions {
      keep_count = 5
    }
  }

  cleanup_policies {
    id     = "delete-old"
    action = "DELETE"
    condition {
      tag_state  = "ANY"
      older_than = "1209600s"
    }
  }

  depends_on = [google_project_service.this]
}

resource "google_artifact_registry_repository_iam_member" "build" {
  location   = var.region
  repository = google_artifact_registry_repository.this["functions"].name
  role       = "roles/artifactregistry.writer"
  member     = google_service_account.build.member
}

