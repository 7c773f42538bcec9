# Uploads, as CloudEvents of Google's own making.

data "google_storage_project_service_account" "this" {}

resource "google_project_iam_member" "storage_events" {
  project = var.project
  role    = "roles/pubsub.publisher"
  member  = data.google_storage_project_service_account.this.member
}

# Eventarc makes the subscription behind the trigger as this account, which has no rights if it was made on request:
# https://cloud.google.com/iam/docs/create-service-agents.
resource "google_project_iam_member" "eventarc" {
  #checkov:skip=CKV_GCP_49: the role that Google itself gives to this account of its own, where nobody asked for it
  project = var.project
  role    = "roles/eventarc.serviceAgent"
  member  = local.agents.eventarc

  depends_on = [google_project_service.this]
}

resource "google_project_iam_member" "event_receiver" {
  project = var.project
  role    = "roles/eventarc.eventReceiver"
  member  = google_service_account.events.member
}

resource "google_eventarc_trigger" "uploads" {
  name            = "uploads"
  location        = var.region
  service_account = google_service_account.events.email

  matching_criteria {
    attribute = "type"
    value     = "google.cloud.storage.object.v1.finalized"
  }

  matching_criteria {
    attribute = "bucket"
    value     = google_storage_bucket.this["uploads"].name
  }

  destination {
    cloud_run_service {
      region  = var.region
      service = google_cloudfunctions2_function.this["on_upload"].name
    }
  }

  depends_on = [
    google_cloud_run_v2_service_iam_member.events,
    google_project_iam_member.event_receiver,
    google_project_iam_member.eventarc,
    google_project_iam_member.storage_events,
    google_service_account_iam_member.pushes,
  ]
}

# Eventarc drops an event after 24 hours, unless its subscription has dead letters. That subscription is Eventarc's own,
# with a name that is known only afterwards, so no resource can configure it: this does it as Google's page on retries
# says, https://cloud.google.com/eventarc/docs/retry-events. It may run again, and needs gcloud where Terraform runs.
resource "terraform_data" "uploads_dead_letters" {
  triggers_replace = [google_eventarc_trigger.uploads.uid, google_pubsub_topic.this["dead-letters"].id]

  provisioner "local-exec" {
    command = "sh \"$SCRIPT\""
    environment = {
      SCRIPT       = abspath("${path.module}/eventarc_dead_letters.sh")
      PROJECT      = var.project
      REGION       = var.region
      TRIGGER      = google_eventarc_trigger.uploads.name
      DEAD_LETTERS = google_pubsub_topic.this["dead-letters"].id
      AGENT        = local.agents.pubsub
      ATTEMPTS     = 20
    }
  }
}
