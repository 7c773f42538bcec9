locals {
  repository = coalesce(var.repository, "${path.module}/..")

  # Those of the local stack, from the same files. `costs` is read by the others, so it comes first: warehouse/sql.py.
  views = toset([
    "cache_answers_by_day",
    "cost_by_tenant_and_recipe",
    "cost_per_image_by_day",
    "latency_by_hour",
    "warm_up_return_by_day",
  ])
}

resource "google_bigquery_dataset" "this" {
  #checkov:skip=CKV_GCP_81: costs are no secrets; Google's own key encrypts them
  dataset_id            = "cutout"
  friendly_name         = "Cutout"
  description           = "What everything cost"
  location              = var.region
  max_time_travel_hours = "168"

  depends_on = [google_project_service.this]
}

resource "google_bigquery_table" "cost_events" {
  #checkov:skip=CKV_GCP_80: costs are no secrets; Google's own key encrypts them
  dataset_id          = google_bigquery_dataset.this.dataset_id
  table_id            = "cost_events"
  description         = "Costs as they were told: events may be here twice. Read the view costs"
  schema              = file("${local.repository}/warehouse/cost_events.schema.json")
  clustering          = ["tenant", "kind"]
  deletion_protection = var.deletion_protection

  time_partitioning {
    type  = "DAY"
    field = "occurred_at"
  }
}

resource "google_bigquery_table" "costs" {
  #checkov:skip=CKV_GCP_80: a view stores nothing
  #checkov:skip=CKV_GCP_121: a view is made again from its file
  dataset_id          = google_bigquery_dataset.this.dataset_id
  table_id            = "costs"
  deletion_protection = false

  view {
    query          = templatefile("${local.repository}/warehouse/views/costs.sql", { dataset = google_bigquery_dataset.this.dataset_id })
    use_legacy_sql = false
  }

  depends_on = [google_bigquery_table.cost_events]
}

resource "google_bigquery_table" "view" {
  #checkov:skip=CKV_GCP_80: a view stores nothing
  #checkov:skip=CKV_GCP_121: a view is made again from its file
  for_each = local.views

  dataset_id          = google_bigquery_dataset.this.dataset_id
  table_id            = each.key
  deletion_protection = false

  view {
    query          = templatefile("${local.repository}/warehouse/views/${each.key}.sql", { dataset = google_bigquery_dataset.this.dataset_id })
    use_legacy_sql = false
  }

  depends_on = [google_bigquery_table.costs]
}

# Rows are inserted by one function, which can neither read nor change any.
resource "google_project_iam_custom_role" "row_inserter" {
  role_id     = "rowInserter"
  title       = "Row inserter"
  description = "May stream rows into tables, and nothing else."
  permissions = ["bigquery.tables.updateData"]
}

resource "google_bigquery_dataset_iam_member" "record_cost" {
  dataset_id = google_bigquery_dataset.this.dataset_id
  role       = google_project_iam_custom_role.row_inserter.name
  member     = google_service_account.function["record_cost"].member
}

resource "google_bigquery_dataset_iam_member" "queries" {
  for_each = { for name, function in local.function_specs : name => function if function.queries }

  dataset_id = google_bigquery_dataset.this.dataset_id
  role       = "roles/bigquery.dataViewer"
  member     = google_service_account.function[each.key].member
}
