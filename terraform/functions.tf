variable "most_instances" {
  description = "The most instances of a function, by its name, where it is not that of functions.tf. Cloud Run refuses a function whose most instances together need more CPU or memory than the project has in the region."
  type        = map(number)
  default     = {}

  validation {
    condition     = alltrue([for function in keys(var.most_instances) : contains(keys(local.functions), function)])
    error_message = "There is no such function."
  }
}

locals {
  # CPU, memory, concurrency and the number of instances: what waits (polling, webhooks, Pub/Sub) shares an instance, and
  # what computes has one to itself. A public function can be called by anybody, so its most instances are also the most
  # that anybody can make it cost; one that answers events is bounded by what it calls. A new project has 20 vCPU and
  # 40 GiB in a region, within which each function stays.
  #
  # `reads`, `creates` and `deletes` are buckets. A look-up needs the right to list, or Cloud Storage says 403 of an
  # object that is not there. Whoever creates an object that is there already needs the right to delete it
  # (https://cloud.google.com/storage/docs/access-control/iam-json), if only to be told 412 and not 403, so `creates` has
  # both. A browser with a signed URL acts with request_upload's rights: it needs the answer 412 to know that an attempt
  # before had arrived, and can overwrite nothing by it, since the URL binds `x-goog-if-generation-match: 0`.
  functions = {
    request_upload = {
      text        = "POST /uploads: a signed URL, or at once what the cache has"
      public      = true
      concurrency = 20
      most        = 10
      settings    = ["api", "rate_limits"]
      signs       = true
      reads       = ["jobs", "mattes", "results", "assets"]
      creates     = ["jobs", "uploads"]           # uploads by signed URLs
      deletes     = ["jobs", "mattes", "results"] # the last reference to a photo takes along what was made of it
      publishes   = ["results", "costs"]
    }
    restyle = {
      text        = "POST /jobs: another effect for a photo that is there"
      public      = true
      concurrency = 20
      most        = 10
      settings    = ["api", "rate_limits"]
      reads       = ["jobs", "uploads", "mattes", "results", "assets"]
      creates     = ["jobs"]
      deletes     = ["jobs", "mattes", "results"] # as request_upload
      publishes   = ["jobs", "renders", "results", "costs"]
    }
    job_status = {
      text        = "GET /jobs/ID: where a job stands; waits up to 30 s for its end"
      public      = true
      concurrency = 80
      most        = 10
      settings    = ["api", "rate_limits"]
      signs       = true
      reads       = ["jobs", "results"]
    }
    delete_job = {
      text        = "DELETE /jobs/ID: the shopper takes the photo back"
      public      = true
      concurrency = 20
      most        = 5
      settings    = ["api", "rate_limits"]
      reads       = ["jobs", "uploads", "mattes", "results"]
      creates     = ["jobs"]
      deletes     = ["jobs", "uploads", "mattes", "results"]
    }
    intents = {
      text        = "POST /intents: a shopper looks as if an upload may follow"
      public      = true
      concurrency = 80
      most        = 5
      settings    = ["api", "rate_limits", "instance", "warming"]
      reads       = ["jobs"]
      creates     = ["jobs"]
      publishes   = ["ticks"]
    }
    on_upload = {
      text        = "Eventarc: hashes a photo and sends it the cheapest way; holds 30 MiB of each in memory"
      memory      = 1
      concurrency = 8
      most        = 20
      seconds     = 120
      reads       = ["jobs", "uploads", "mattes", "results"]
      creates     = ["jobs"]
      deletes     = ["jobs", "uploads", "mattes", "results"]
      publishes   = ["jobs", "renders", "results", "costs"]
    }
    render = {
      text        = "Effects on the CPU from a stored matte; one photo of 50 megapixels at a time"
      cpu         = 2
      memory      = 4
      concurrency = 1
      most        = 10
      seconds     = 300
      reads       = ["jobs", "uploads", "mattes", "results", "assets"]
      creates     = ["jobs", "results"]
      deletes     = ["jobs", "uploads", "mattes", "results"]
      publishes   = ["jobs", "results", "costs"]
    }
    notify = {
      text        = "One message for each receiver of a result"
      concurrency = 20
      most        = 10
      settings    = ["webhooks"]
      secrets     = ["webhooks"]
      signs       = true
      reads       = ["results"]
      publishes   = ["deliveries", "dead-letters"]
    }
    deliver = {
      text        = "One attempt to tell one receiver; waits for it up to 30 s"
      concurrency = 40
      most        = 10
      settings    = ["webhooks"]
      secrets     = ["webhooks"]
      signs       = true
      reads       = ["jobs", "results"]
      creates     = ["jobs"]
      publishes   = ["dead-letters"]
    }
    sweep_deliveries = {
      text      = "Every minute: the deliveries that are due; the next minute has what this one could not"
      most      = 1
      seconds   = 120
      reads     = ["jobs"]
      deletes   = ["jobs"]
      publishes = ["deliveries", "dead-letters"]
    }
    on_alert = {
      text     = "Tells people of an incident, and does what the settings say about its policy"
      most     = 3
      seconds  = 180
      settings = ["alerts"]
      secrets  = ["alert-receivers"]
      reads    = ["jobs"]
      creates  = ["jobs"]
      deletes  = ["jobs"]
      roles    = ["roles/run.viewer"] # of the operation that a change starts
    }
    on_dead_letter = {
      text        = "Keeps a message that was given up, and says so"
      concurrency = 4
      most        = 5
      seconds     = 120
      settings    = ["dead_letters"]
      reads       = ["jobs", "uploads", "mattes", "results"]
      creates     = ["jobs", "dead-letters"]
      deletes     = ["jobs", "uploads", "mattes", "results"]
      publishes   = ["jobs", "renders", "results", "costs"]
    }
    record_cost = {
      text        = "A row of the cost table; what arrives together is inserted together, so one instance is better than two"
      concurrency = 80
      most        = 3
      seconds     = 120
      settings    = ["warehouse"]
      publishes   = ["dead-letters"]
    }
    reconcile_idle = {
      text      = "Every hour: what the worker cost besides its jobs"
      most      = 1
      seconds   = 540
      settings  = ["warehouse", "instance", "reconciliation"]
      publishes = ["costs"]
      roles     = ["roles/bigquery.jobUser", "roles/monitoring.viewer"]
      queries   = true
    }
    warm = {
      text        = "Decides whether a worker should be awake; two that decide at once find each other in the ledger"
      concurrency = 4
      most        = 2
      settings    = ["warehouse", "instance", "warming"]
      reads       = ["jobs"]
      creates     = ["jobs"]
      publishes   = ["warmups", "costs"]
      roles       = ["roles/bigquery.jobUser", "roles/monitoring.viewer"]
      queries     = true
    }
    precompute = {
      text      = "Every night: popular recipes for the newest photos"
      memory    = 1
      most      = 1
      seconds   = 1500
      settings  = ["warehouse", "precompute"]
      reads     = ["jobs", "uploads", "mattes", "results"]
      creates   = ["jobs"]
      deletes   = ["jobs", "mattes", "results"] # as request_upload
      publishes = ["renders"]
      roles     = ["roles/bigquery.jobUser"]
      queries   = true
    }
  }

  function_groups = ["project", "function", "telemetry", "breaker"]

  # Every function with every field.
  function_specs = {
    for name, given in local.functions : name => {
      service     = replace(name, "_", "-")
      text        = given.text
      public      = try(given.public, false)
      cpu         = try(given.cpu, 1)
      memory      = try(given.memory, 0.5)
      concurrency = try(given.concurrency, 1)
      most        = lookup(var.most_instances, name, given.most)
      seconds     = try(given.seconds, 60)
      settings    = concat(local.function_groups, try(given.settings, []))
      secrets = concat(
        ["content"],
        try(given.secrets, []),
        try(given.signs, false) && var.cdn.signed ? ["cdn-key"] : [],
        try(given.public, false) && var.rate_limits_redis != null ? ["rate-limit-storage"] : [],
      )
      signs     = try(given.signs, false)
      roles     = try(given.roles, [])
      queries   = try(given.queries, false)
      publishes = try(given.publishes, [])
      objects = concat(
        [for bucket in try(given.reads, []) : { bucket = bucket, right = "read" }],
        [for bucket in try(given.creates, []) : { bucket = bucket, right = "create" }],
        [for bucket in setsubtract(try(given.deletes, []), try(given.creates, [])) : { bucket = bucket, right = "delete" }],
      )
    }
  }

  event_functions  = toset(concat(["on_upload"], [for subscription in local.subscriptions : subscription.function if can(subscription.function)]))
  public_functions = toset([for name, function in local.function_specs : name if function.public])

  # The rights on a bucket. Google has no role that may only delete, nor one that may create and delete and not read.
  object_roles = {
    read   = "roles/storage.objectViewer"
    create = google_project_iam_custom_role.object_creator.name
    delete = google_project_iam_custom_role.object_remover.name
  }

  function_environments = {
    for name, function in local.function_specs : name => merge(concat(
      [for group in function.settings : local.settings[group]],
      [{
        FUNCTION_VCPUS = function.cpu
        FUNCTION_GIB   = function.memory
        # functions-framework's threads: as many as requests may come at once, or they would queue up behind each other.
        THREADS = function.concurrency
      }],
      function.signs ? [{ SIGNING_ACCOUNT = google_service_account.function[name].email }] : [],
      function.signs && var.cdn.signed ? [local.settings.cdn] : [],
    )...)
  }

  archive = coalesce(var.function_archive, "${local.repository}/out/functions.zip")
}

resource "google_storage_bucket_object" "functions" {
  bucket = google_storage_bucket.source.name
  name   = "functions/${filesha256(local.archive)}.zip"
  source = local.archive
}

resource "google_cloudfunctions2_function" "this" {
  #checkov:skip=CKV_GCP_124: the public ones are reached by the load balancer alone, all others from inside alone
  for_each = local.function_specs

  name        = each.value.service
  location    = var.region
  description = each.value.text

  build_config {
    runtime           = "python311" # which the tests run on
    entry_point       = each.key
    docker_repository = google_artifact_registry_repository.this["functions"].id
    service_account   = google_service_account.build.id

    source {
      storage_source {
        bucket     = google_storage_bucket_object.functions.bucket
        object     = google_storage_bucket_object.functions.name
        generation = google_storage_bucket_object.functions.generation
      }
    }
  }

  # Functions that answer events are called by HTTP too: Pub/Sub pushes to them. What they take is decided in the code.
  service_config {
    service_account_email            = google_service_account.function[each.key].email
    available_cpu                    = tostring(each.value.cpu)
    available_memory                 = each.value.memory < 1 ? "${each.value.memory * 1024}Mi" : "${each.value.memory}Gi"
    max_instance_request_concurrency = each.value.concurrency
    min_instance_count               = 0
    max_instance_count               = each.value.most
    timeout_seconds                  = each.value.seconds
    ingress_settings                 = each.value.public ? "ALLOW_INTERNAL_AND_GCLB" : "ALLOW_INTERNAL_ONLY"
    all_traffic_on_latest_revision   = true

    direct_vpc_egress = each.value.public && var.rate_limits_redis != null ? "VPC_EGRESS_PRIVATE_RANGES_ONLY" : null

    dynamic "direct_vpc_network_interface" {
      for_each = each.value.public && var.rate_limits_redis != null ? [var.rate_limits_redis] : []
      content {
        network    = direct_vpc_network_interface.value.network
        subnetwork = direct_vpc_network_interface.value.subnetwork
      }
    }

    environment_variables = { for name, value in local.function_environments[each.key] : name => tostring(value) }

    dynamic "secret_environment_variables" {
      for_each = toset(each.value.secrets)
      content {
        key        = local.secrets[secret_environment_variables.key].variable
        project_id = var.project
        secret     = google_secret_manager_secret.this[secret_environment_variables.key].secret_id
        version    = local.secrets[secret_environment_variables.key].version
      }
    }
  }

  depends_on = [
    google_artifact_registry_repository_iam_member.build,
    google_project_iam_member.build,
    google_storage_bucket_iam_member.build,
    google_secret_manager_secret_iam_member.function,
    google_service_account_iam_member.signs_for_itself,
  ]
}

resource "google_service_account" "function" {
  for_each = local.function_specs

  account_id   = "fn-${each.value.service}"
  display_name = "Function ${each.key}"
}

resource "google_project_iam_custom_role" "object_remover" {
  role_id     = "objectRemover"
  title       = "Object remover"
  description = "May delete objects, and nothing else."
  permissions = ["storage.objects.delete"]
}

resource "google_project_iam_custom_role" "object_creator" {
  role_id     = "objectCreator"
  title       = "Object creator"
  description = "May create objects, and be told that one is there already, for which Cloud Storage asks for the right to delete."
  permissions = ["storage.objects.create", "storage.objects.delete"]
}

resource "google_storage_bucket_iam_member" "function" {
  for_each = merge([
    for name, function in local.function_specs : {
      for object in function.objects : "${name} ${object.right} ${object.bucket}" => merge(object, { function = name })
    }
  ]...)

  bucket = google_storage_bucket.this[each.value.bucket].name
  role   = local.object_roles[each.value.right]
  member = google_service_account.function[each.value.function].member
}

resource "google_pubsub_topic_iam_member" "function" {
  for_each = merge([
    for name, function in local.function_specs : {
      for topic in function.publishes : "${name} ${topic}" => { function = name, topic = topic }
    }
  ]...)

  topic  = google_pubsub_topic.this[each.value.topic].id
  role   = "roles/pubsub.publisher"
  member = google_service_account.function[each.value.function].member
}

resource "google_project_iam_member" "function" {
  for_each = merge([
    for name, function in local.function_specs : {
      for role in concat(function.roles, local.telemetry_roles) : "${name} ${role}" => { function = name, role = role }
    }
  ]...)

  project = var.project
  role    = each.value.role
  member  = google_service_account.function[each.value.function].member
}

# A URL is signed by signBlob, which an account may call for itself if it is Token Creator on itself.
resource "google_service_account_iam_member" "signs_for_itself" {
  for_each = { for name, function in local.function_specs : name => function if function.signs }

  service_account_id = google_service_account.function[each.key].name
  role               = "roles/iam.serviceAccountTokenCreator"
  member             = google_service_account.function[each.key].member
}

# Storefronts are known by their keys, which the functions check. Only the load balancer reaches these functions.
resource "google_cloud_run_v2_service_iam_member" "public" {
  for_each = local.public_functions

  location = var.region
  name     = google_cloudfunctions2_function.this[each.key].name
  role     = "roles/run.invoker"
  member   = "allUsers"
}

resource "google_cloud_run_v2_service_iam_member" "events" {
  for_each = local.event_functions

  location = var.region
  name     = google_cloudfunctions2_function.this[each.key].name
  role     = "roles/run.invoker"
  member   = google_service_account.events.member
}

# on_alert changes the traffic and the limits of the worker, which runs as the worker's account.
resource "google_cloud_run_v2_service_iam_member" "on_alert" {
  for_each = google_cloud_run_v2_service.worker

  location = each.value.location
  name     = each.value.name
  role     = "roles/run.developer"
  member   = google_service_account.function["on_alert"].member
}

resource "google_service_account_iam_member" "on_alert" {
  service_account_id = google_service_account.worker.name
  role               = "roles/iam.serviceAccountUser"
  member             = google_service_account.function["on_alert"].member
}

# What builds the functions' images. It reads the sources that Cloud Functions copies, and no other bucket.
resource "google_service_account" "build" {
  account_id   = "build-functions"
  display_name = "Builds of the functions"
}

resource "google_project_iam_member" "build" {
  for_each = {
    logs    = { role = "roles/logging.logWriter" }
    sources = { role = "roles/storage.objectViewer", only = "resource.name.startsWith(\"projects/_/buckets/gcf-v2-\")" }
  }

  project = var.project
  role    = each.value.role
  member  = google_service_account.build.member

  dynamic "condition" {
    for_each = try([each.value.only], [])
    content {
      title      = "sources of functions"
      expression = condition.value
    }
  }
}

resource "google_storage_bucket_iam_member" "build" {
  bucket = google_storage_bucket.source.name
  role   = "roles/storage.objectViewer"
  member = google_service_account.build.member
}
