locals {
  # The same as on one machine: local/topology.py. Uploads have a topic of Eventarc's own here.
  # A schema refuses what no subscriber could read; `make schemas` writes them from the types of the events. Some topics
  # have none: alerts is Cloud Monitoring's, ticks has the scheduler's empty ones, dead-letters whatever any other topic
  # had, and a delivery has nulls in a list, for which there is no schema.
  topics = {
    jobs         = { schema = "job_requested" }
    renders      = { schema = "job_requested" }
    results      = { schema = "job_ended" }
    deliveries   = {}
    costs        = { schema = "cost_recorded" }
    warmups      = { schema = "warmup_requested" }
    alerts       = {}
    ticks        = {}
    dead-letters = {}
  }
  schemas = toset([for topic in local.topics : topic.schema if can(topic.schema)])
}

# Protocol buffers, since Avro's JSON wraps every optional value in the name of its type, which ours does not.
# A change of a definition commits a new revision; topics take messages of any of them.
resource "google_pubsub_schema" "this" {
  for_each = local.schemas

  name       = replace(each.key, "_", "-")
  type       = "PROTOCOL_BUFFER"
  definition = file("${path.module}/schemas/${each.key}.proto")

  depends_on = [google_project_service.this]
}

resource "google_pubsub_topic" "this" {
  #checkov:skip=CKV_GCP_83: messages hold no photos; Google's own key encrypts them
  for_each = local.topics

  name = each.key

  message_storage_policy {
    allowed_persistence_regions = [var.region]
  }

  dynamic "schema_settings" {
    for_each = try([each.value.schema], [])
    content {
      schema   = google_pubsub_schema.this[schema_settings.value].id
      encoding = "JSON"
    }
  }

  depends_on = [google_project_service.this]
}
