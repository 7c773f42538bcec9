# Every request in BigQuery, for questions that metrics can't answer: which client, which path, how long, how large.

resource "google_bigquery_dataset" "requests" {
  #checkov:skip=CKV_GCP_81: paths and addresses are kept for a month; Google's own key encrypts them
  dataset_id                      = "requests"
  friendly_name                   = "Requests"
  description                     = "Request logs of the load balancer and of Cloud Run"
  location                        = var.region
  default_partition_expiration_ms = 30 * 24 * 3600 * 1000
  delete_contents_on_destroy      = !var.deletion_protection # the sink's tables, which Terraform does not know

  depends_on = [google_project_service.this]
}

resource "google_logging_project_sink" "requests" {
  name                   = "requests"
  description            = "Request logs to BigQuery"
  destination            = "bigquery.googleapis.com/projects/${var.project}/datasets/${google_bigquery_dataset.requests.dataset_id}"
  filter                 = "log_id(\"run.googleapis.com/requests\") OR (resource.type=\"http_load_balancer\" AND log_id(\"requests\"))"
  unique_writer_identity = true

  bigquery_options {
    use_partitioned_tables = true
  }
}

resource "google_bigquery_dataset_iam_member" "requests" {
  dataset_id = google_bigquery_dataset.requests.dataset_id
  role       = "roles/bigquery.dataEditor"
  member     = google_logging_project_sink.requests.writer_identity
}
