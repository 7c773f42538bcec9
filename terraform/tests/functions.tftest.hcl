mock_provider "google" {
  source          = "./tests/mocks"
  override_during = plan
}

run "by_default" {
  command = plan

  # Only the public functions can be called from outside.
  assert {
    condition     = toset([for name, function in google_cloudfunctions2_function.this : name if function.service_config[0].ingress_settings != "ALLOW_INTERNAL_ONLY"]) == toset(["delete_job", "intents", "job_status", "request_upload", "restyle"])
    error_message = "A function that answers events can be reached from outside."
  }

  assert {
    condition     = alltrue([for function in google_cloudfunctions2_function.this : contains(["ALLOW_INTERNAL_ONLY", "ALLOW_INTERNAL_AND_GCLB"], function.service_config[0].ingress_settings)])
    error_message = "A function can be reached past the load balancer."
  }

  assert {
    condition     = toset([for name, grant in google_cloud_run_v2_service_iam_member.public : name if grant.member == "allUsers"]) == toset(["delete_job", "intents", "job_status", "request_upload", "restyle"])
    error_message = "allUsers may call other functions than the public ones."
  }

  # Each function has an account of its own and bounds.
  assert {
    condition     = length(distinct([for function in google_cloudfunctions2_function.this : function.service_config[0].service_account_email])) == 16
    error_message = "Two functions share an account."
  }

  assert {
    condition     = alltrue([for function in google_cloudfunctions2_function.this : function.service_config[0].min_instance_count == 0 && function.service_config[0].max_instance_count <= 20])
    error_message = "A function has instances when idle, or no bound."
  }

  assert {
    condition     = alltrue([for function in local.function_specs : function.most * function.cpu <= 20 && function.most * function.memory <= 40])
    error_message = "Cloud Run refuses a function whose most instances need more than the 20 vCPU and 40 GiB of a new project."
  }

  # Pub/Sub waits for 600 s.
  assert {
    condition     = alltrue([for subscription in local.subscriptions : google_cloudfunctions2_function.this[subscription.function].service_config[0].timeout_seconds <= 600 if can(subscription.function)])
    error_message = "A function may work on a message after Pub/Sub has sent it again."
  }

  # Functions have exactly these rights.
  # All rights that there are: whoever adds one adds it here, too.
  assert {
    condition = {
      for function in keys(local.functions) : function => join(", ", sort([
        for name in keys(google_storage_bucket_iam_member.function) : replace(name, "${function} ", "") if startswith(name, "${function} ")
      ]))
      } == {
      delete_job       = "create jobs, delete mattes, delete results, delete uploads, read jobs, read mattes, read results, read uploads"
      deliver          = "create jobs, read jobs, read results"
      intents          = "create jobs, read jobs"
      job_status       = "read jobs, read results"
      notify           = "read results"
      on_alert         = "create jobs, read jobs"
      on_dead_letter   = "create dead-letters, create jobs, delete mattes, delete results, delete uploads, read jobs, read mattes, read results, read uploads"
      on_upload        = "create jobs, delete mattes, delete results, delete uploads, read jobs, read mattes, read results, read uploads"
      precompute       = "create jobs, delete mattes, delete results, read jobs, read mattes, read results, read uploads"
      reconcile_idle   = ""
      record_cost      = ""
      render           = "create jobs, create results, delete mattes, delete uploads, read assets, read jobs, read mattes, read results, read uploads"
      request_upload   = "create jobs, create uploads, delete mattes, delete results, read assets, read jobs, read mattes, read results"
      restyle          = "create jobs, delete mattes, delete results, read assets, read jobs, read mattes, read results, read uploads"
      sweep_deliveries = "delete jobs, read jobs"
      warm             = "create jobs, read jobs"
    }
    error_message = "A function has other rights on a bucket than those listed here."
  }

  assert {
    condition = {
      for function in keys(local.functions) : function => join(", ", sort([
        for name in keys(google_pubsub_topic_iam_member.function) : replace(name, "${function} ", "") if startswith(name, "${function} ")
      ]))
      } == {
      delete_job       = ""
      deliver          = "dead-letters"
      intents          = "ticks"
      job_status       = ""
      notify           = "dead-letters, deliveries"
      on_alert         = ""
      on_dead_letter   = "costs, jobs, renders, results"
      on_upload        = "costs, jobs, renders, results"
      precompute       = "renders"
      reconcile_idle   = "costs"
      record_cost      = "dead-letters"
      render           = "costs, jobs, results"
      request_upload   = "costs, results"
      restyle          = "costs, jobs, renders, results"
      sweep_deliveries = "dead-letters, deliveries"
      warm             = "costs, warmups"
    }
    error_message = "A function may publish to other topics than those listed here."
  }

  assert {
    condition = toset([for name in keys(google_project_iam_member.function) : name if !strcontains(name, "roles/telemetry.")]) == toset([
      "on_alert roles/run.viewer",
      "precompute roles/bigquery.jobUser",
      "reconcile_idle roles/bigquery.jobUser",
      "reconcile_idle roles/monitoring.viewer",
      "warm roles/bigquery.jobUser",
      "warm roles/monitoring.viewer",
    ])
    error_message = "A function has other roles in the project than those listed here."
  }

  assert {
    condition     = toset(keys(google_bigquery_dataset_iam_member.queries)) == toset(["precompute", "reconcile_idle", "warm"]) && google_bigquery_dataset_iam_member.record_cost.role == google_project_iam_custom_role.row_inserter.name
    error_message = "A function has other rights on the costs than those listed here."
  }

  assert {
    condition     = toset(keys(google_service_account_iam_member.signs_for_itself)) == toset(["deliver", "job_status", "notify", "request_upload"])
    error_message = "A function may sign that hands out no URLs."
  }

  assert {
    condition = toset([for name in keys(google_secret_manager_secret_iam_member.function) : name if !endswith(name, " content")]) == toset([
      "deliver webhooks",
      "notify webhooks",
      "on_alert alert-receivers",
    ])
    error_message = "A function may read other secrets than those listed here."
  }

  # Without a redis each instance counts for itself.
  assert {
    condition     = !contains(output.secrets, "rate-limit-storage") && alltrue([for function in google_cloudfunctions2_function.this : length(function.service_config[0].direct_vpc_network_interface) == 0])
    error_message = "A function is in a network that it needs nothing of."
  }

  # Rights are what they are called.
  # A delete of what is gone already is told as such only to those who may list. Browsers only create uploads.
  assert {
    condition     = alltrue([for function in local.functions : length(setsubtract(concat(try(function.deletes, []), try(function.creates, [])), concat(try(function.reads, []), ["dead-letters"], try(function.signs, false) ? ["uploads"] : []))) == 0])
    error_message = "A function deletes or creates where it can't look."
  }

  assert {
    condition = alltrue([
      for name, grant in google_storage_bucket_iam_member.function :
      grant.role == local.object_roles[split(" ", name)[1]]
      && grant.bucket == google_storage_bucket.this[split(" ", name)[2]].name
      && grant.member == google_service_account.function[split(" ", name)[0]].member
    ])
    error_message = "A grant on a bucket is not what its name says."
  }

  assert {
    condition     = google_project_iam_custom_role.object_remover.permissions == toset(["storage.objects.delete"]) && google_project_iam_custom_role.object_creator.permissions == toset(["storage.objects.create", "storage.objects.delete"]) && google_project_iam_custom_role.row_inserter.permissions == toset(["bigquery.tables.updateData"])
    error_message = "A role of our own grants more than its name says."
  }

  assert {
    condition = alltrue([
      for grant in concat(values(google_project_iam_member.function), values(google_project_iam_member.build), [google_project_iam_member.storage_events, google_project_iam_member.event_receiver, google_project_iam_member.eventarc]) :
      !contains(["roles/owner", "roles/editor", "roles/viewer", "roles/iam.serviceAccountUser", "roles/iam.serviceAccountTokenCreator", "roles/run.admin", "roles/storage.admin"], grant.role)
    ])
    error_message = "A role in the whole project is too large."
  }

  # The worker and the pushes have exactly these rights.
  assert {
    condition = toset(keys(google_storage_bucket_iam_member.worker)) == toset([
      "read uploads", "delete uploads",
      "read mattes", "create mattes",
      "read results", "create results",
      "read jobs", "create jobs",
      "read assets",
    ]) && toset(keys(google_pubsub_topic_iam_member.worker)) == toset(["costs", "results"])
    error_message = "The worker has other rights than those listed here."
  }

  assert {
    condition     = toset(keys(google_cloud_run_v2_service_iam_member.events)) == toset(["deliver", "notify", "on_alert", "on_dead_letter", "on_upload", "record_cost", "render", "warm"])
    error_message = "Pushes may call other functions than those that answer events."
  }

  assert {
    condition     = toset(keys(google_cloud_run_v2_service_iam_member.scheduler)) == toset(["precompute", "reconcile_idle", "sweep_deliveries"])
    error_message = "The scheduler may call other functions than those it calls."
  }

  assert {
    condition     = alltrue([for grant in google_cloud_run_v2_service_iam_member.on_alert : grant.role == "roles/run.developer" && grant.name == "gpu-worker"]) && google_service_account_iam_member.on_alert.role == "roles/iam.serviceAccountUser"
    error_message = "on_alert may change the worker, and nothing else."
  }

  # The scheduler calls when it should.
  assert {
    condition     = { for name, job in google_cloud_scheduler_job.call : name => "${job.schedule} ${job.http_target[0].http_method}" } == { precompute = "10 3 * * * POST", reconcile_idle = "20 * * * * POST", sweep_deliveries = "* * * * * POST" }
    error_message = "Deliveries are swept every minute, idle time is reconciled every hour, recipes are precomputed at night."
  }

  assert {
    condition     = alltrue([for name, job in google_cloud_scheduler_job.call : tonumber(trimsuffix(job.attempt_deadline, "s")) <= 1800 && tonumber(trimsuffix(job.attempt_deadline, "s")) == google_cloudfunctions2_function.this[name].service_config[0].timeout_seconds])
    error_message = "The scheduler waits as long as the function may take, and half an hour at most."
  }

  # A catalogue has two tasks and no bucket of its own unless it is told.
  assert {
    condition     = google_cloud_run_v2_job.catalogue["catalogue"].template[0].task_count == 2 && length(google_storage_bucket_iam_member.catalogue) == 0
    error_message = "The job costs nothing until it is executed, so it is there."
  }
}

run "a_function_may_have_more_instances_where_the_project_has_room" {
  command = plan

  variables {
    most_instances = { render = 40 }
  }

  assert {
    condition     = [for name in ["render", "restyle"] : google_cloudfunctions2_function.this[name].service_config[0].max_instance_count] == [40, 10]
    error_message = "The variable decides for the function that it names."
  }
}

run "a_function_that_there_is_not_has_no_instances" {
  command = plan

  variables {
    most_instances = { renders = 40 }
  }

  expect_failures = [var.most_instances]
}

run "public_functions_count_requests_together_where_there_is_a_redis" {
  command = plan

  variables {
    rate_limits_redis = { network = "inside", subnetwork = "inside-us" }
  }

  assert {
    condition = toset([
      for name, function in google_cloudfunctions2_function.this : name
      if try(function.service_config[0].direct_vpc_network_interface[0].subnetwork, "") == "inside-us"
      && function.service_config[0].direct_vpc_egress == "VPC_EGRESS_PRIVATE_RANGES_ONLY"
      && contains([for secret in function.service_config[0].secret_environment_variables : secret.key], "RATE_LIMIT_STORAGE")
    ]) == local.public_functions
    error_message = "A public function counts for itself, or can't reach the Redis."
  }

  assert {
    condition     = length([for name in keys(google_secret_manager_secret_iam_member.function) : name if endswith(name, " rate-limit-storage")]) == length(local.public_functions)
    error_message = "The Redis' password is for those who count in it, and for nobody else."
  }

  assert {
    condition     = contains(output.secrets, "rate-limit-storage")
    error_message = "Without a version of its secret, no public function would start."
  }
}

run "a_catalogue_has_a_job" {
  command = plan

  variables {
    catalogue = { tasks = 4, parallelism = 2, buckets = ["acme-photos"] }
  }

  assert {
    condition = (
      google_cloud_run_v2_job.catalogue["catalogue"].template[0].template[0].gpu_zonal_redundancy_disabled
      && google_cloud_run_v2_job.catalogue["catalogue"].template[0].template[0].timeout == "3600s"
      && google_cloud_run_v2_job.catalogue["catalogue"].template[0].task_count == 4
    )
    error_message = "A task with a GPU is without zonal redundancy, and takes an hour at most."
  }

  assert {
    condition     = google_cloud_run_v2_job.catalogue["catalogue"].template[0].template[0].containers[0].command == tolist(["python", "-m", "gpu_worker.bulk"])
    error_message = "The job runs the worker's image with another program."
  }

  assert {
    condition     = one([for env in google_cloud_run_v2_job.catalogue["catalogue"].template[0].template[0].containers[0].env : env.value if env.name == "TENANT_NAMES"]) == join(",", var.tenants[*].name)
    error_message = "The job knows which tenants there are."
  }

  assert {
    condition     = { for name, grant in google_storage_bucket_iam_member.catalogue : name => "${grant.role} ${grant.member}" } == { acme-photos = "roles/storage.objectViewer ${google_service_account.worker.member}" }
    error_message = "The job may read the catalogue's buckets, and only read them."
  }
}

run "there_is_no_job_for_catalogues_where_none_is_wanted" {
  command = plan

  variables {
    catalogue = null
  }

  assert {
    condition     = length(google_cloud_run_v2_job.catalogue) == 0
    error_message = "Null means no job."
  }
}
