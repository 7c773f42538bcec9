mock_data "google_project" {
  defaults = {
    number = "123456789012"
  }
}

mock_data "google_storage_project_service_account" {
  defaults = {
    member = "serviceAccount:service-123456789012@gs-project-accounts.iam.gserviceaccount.com"
  }
}

mock_resource "google_service_account" {
  override_during = plan
  defaults        = {}
}

mock_resource "google_pubsub_topic" {
  override_during = plan
  defaults        = {}
}

mock_resource "google_pubsub_subscription" {
  override_during = plan
  defaults        = {}
}

mock_resource "google_cloud_run_v2_service" {
  override_during = plan
  defaults        = {}
}

mock_resource "google_cloudfunctions2_function" {
  override_during = plan
  defaults        = {}
}

mock_resource "google_compute_global_address" {
  override_during = plan
  defaults        = {}
}

mock_resource "google_storage_bucket" {
  override_during = plan
  defaults        = {}
}

mock_resource "google_project_iam_custom_role" {
  override_during = plan
  defaults        = {}
}

mock_resource "google_secret_manager_secret" {
  override_during = plan
  defaults        = {}
}

mock_resource "google_artifact_registry_repository" {
  override_during = plan
  defaults        = {}
}

mock_resource "google_pubsub_schema" {
  override_during = plan
  defaults        = {}
}

mock_resource "google_monitoring_notification_channel" {
  override_during = plan
  defaults        = {}
}

mock_resource "google_compute_backend_service" {
  override_during = plan
  defaults        = {}
}

mock_resource "google_compute_security_policy" {
  override_during = plan
  defaults        = {}
}

mock_resource "google_monitoring_slo" {
  override_during = plan
  defaults        = {}
}

mock_resource "google_monitoring_uptime_check_config" {
  override_during = plan
  defaults        = {}
}
