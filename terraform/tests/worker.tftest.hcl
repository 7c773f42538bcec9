mock_provider "google" {
  source          = "./tests/mocks"
  override_during = plan
}

run "by_default" {
  command = plan

  # Costs nothing when idle and is bounded.
  assert {
    condition     = google_cloud_run_v2_service.worker["us-central1"].template[0].scaling[0].min_instance_count == 0
    error_message = "The worker must scale to zero."
  }

  assert {
    condition     = google_cloud_run_v2_service.worker["us-central1"].template[0].scaling[0].max_instance_count == 3
    error_message = "The worker has at most three instances."
  }

  assert {
    condition     = google_cloud_run_v2_service.worker["us-central1"].template[0].gpu_zonal_redundancy_disabled
    error_message = "Zonal redundancy would cost half as much again."
  }

  assert {
    condition     = google_cloud_run_v2_service.worker["us-central1"].template[0].max_instance_request_concurrency == 8
    error_message = "An instance takes two batches of four."
  }

  # Nobody reaches it but pushes.
  assert {
    condition     = alltrue([for worker in google_cloud_run_v2_service.worker : worker.ingress == "INGRESS_TRAFFIC_INTERNAL_ONLY"])
    error_message = "The worker must not be reachable from the internet."
  }

  assert {
    condition     = [for grant in google_cloud_run_v2_service_iam_member.push : "${grant.role} ${grant.member}"] == ["roles/run.invoker ${google_service_account.push.member}"]
    error_message = "Somebody besides the push identity may call the worker."
  }

  assert {
    condition = alltrue([
      for grant in concat(
        values(google_cloud_run_v2_service_iam_member.public),
        values(google_cloud_run_v2_service_iam_member.events),
        values(google_cloud_run_v2_service_iam_member.scheduler),
      ) : !contains([for worker in google_cloud_run_v2_service.worker : worker.name], grant.name)
    ])
    error_message = "allUsers, or another account, may call the worker."
  }

  # Is ready once the network is warm.
  assert {
    condition     = google_cloud_run_v2_service.worker["us-central1"].template[0].containers[0].startup_probe[0].http_get[0].path == "/health"
    error_message = "The startup probe must wait for the weights and the warm pass."
  }

  assert {
    condition = (
      google_cloud_run_v2_service.worker["us-central1"].template[0].containers[0].startup_probe[0].period_seconds
      * google_cloud_run_v2_service.worker["us-central1"].template[0].containers[0].startup_probe[0].failure_threshold
    ) <= 240
    error_message = "Cloud Run takes startup probes of at most 240 s."
  }

  assert {
    condition     = google_cloud_run_v2_service.worker["us-central1"].template[0].containers[0].liveness_probe[0].http_get[0].path == "/livez"
    error_message = "A worker whose network broke must be replaced."
  }

  assert {
    condition     = google_cloud_run_v2_service.worker["us-central1"].template[0].timeout == "600s"
    error_message = "A request may last as long as Pub/Sub waits."
  }
}

run "fits_a_smaller_instance" {
  command = plan

  variables {
    worker = { vcpus = 4, gib = 16 }
  }

  assert {
    condition     = google_cloud_run_v2_service.worker["us-central1"].template[0].containers[0].resources[0].limits == tomap({ cpu = "4", memory = "16Gi", "nvidia.com/gpu" = "1" })
    error_message = "The variable decides the size of an instance."
  }

  assert {
    condition     = contains(google_cloud_run_v2_service.worker["us-central1"].template[0].containers[0].env[*].name, "CONTENT_SECRET")
    error_message = "The worker needs the secret."
  }
}

run "has_no_other_size" {
  command = plan

  variables {
    worker = { vcpus = 2, gib = 8 }
  }

  expect_failures = [var.worker]
}

run "a_model_of_another_precision_is_refused" {
  command = plan

  variables {
    worker = { precision = "bf16" }
  }

  expect_failures = [var.model]
}

run "what_is_no_models_id_is_refused" {
  command = plan

  variables {
    model = "inspyrenet-base-000000000000-fp32-v1"
  }

  expect_failures = [var.model]
}

run "stands_by_in_a_second_region" {
  command = plan

  variables {
    second_region = "europe-west4"
    active_region = "europe-west4"
  }

  assert {
    condition     = toset(keys(google_cloud_run_v2_service.worker)) == toset(["europe-west4", "us-central1"])
    error_message = "There is a worker in each of the two regions."
  }

  assert {
    condition     = google_pubsub_subscription.this["jobs-worker"].push_config[0].push_endpoint == "${google_cloud_run_v2_service.worker["europe-west4"].uri}/jobs"
    error_message = "Jobs go to the active region."
  }

  assert {
    condition     = [for function in ["on_alert", "warm", "intents"] : google_cloudfunctions2_function.this[function].service_config[0].environment_variables["WORKER_REGION"]] == ["europe-west4", "europe-west4", "europe-west4"]
    error_message = "Incidents are mitigated, and instances counted, in the active region."
  }

  assert {
    condition     = google_cloudfunctions2_function.this["reconcile_idle"].service_config[0].environment_variables["WORKER_REGIONS"] == "europe-west4,us-central1"
    error_message = "Idle time is reconciled wherever there is a worker."
  }

  assert {
    condition     = length(google_pubsub_subscription.this) == 9
    error_message = "A second subscription would do every job twice."
  }
}
