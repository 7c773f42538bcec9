mock_provider "google" {
  source          = "./tests/mocks"
  override_during = plan
}

run "by_default" {
  command = plan

  # No bucket is public.
  assert {
    condition = alltrue([
      for bucket in concat(values(google_storage_bucket.this), [google_storage_bucket.source]) :
      bucket.public_access_prevention == "enforced" && bucket.uniform_bucket_level_access
    ])
    error_message = "A bucket could become public."
  }

  assert {
    condition = alltrue([
      for grant in concat(values(google_storage_bucket_iam_member.function), values(google_storage_bucket_iam_member.worker)) :
      !contains(["allUsers", "allAuthenticatedUsers"], grant.member)
    ])
    error_message = "Somebody besides the project's accounts may use a bucket."
  }

  # Temporary data goes by itself.
  assert {
    condition = {
      for name, bucket in google_storage_bucket.this : name => [
        for rule in bucket.lifecycle_rule : one(rule.condition).age
        if one(rule.action).type == "Delete" && length(coalesce(one(rule.condition).matches_prefix, [])) == 0
      ]
    } == { uploads = [7], mattes = [30], results = [30], jobs = [31], dead-letters = [7], assets = [] }
    error_message = "Buckets keep their objects for another time than they should."
  }

  assert {
    condition     = alltrue([for name, bucket in google_storage_bucket.this : bucket.soft_delete_policy[0].retention_duration_seconds == 0 && !bucket.versioning[0].enabled if name != "assets"])
    error_message = "What a shopper deletes must be gone."
  }

  assert {
    condition = merge([
      for rule in google_storage_bucket.this["jobs"].lifecycle_rule : {
        for prefix in coalesce(one(rule.condition).matches_prefix, []) : prefix => one(rule.condition).age
      }
    ]...) == { "~intents/" = 1, "~activity/" = 3, "~precompute/" = 3, "~rates/" = 3, "~warming/" = 3 }
    error_message = "Traces in the jobs bucket are kept for another time than they should."
  }

  # Browsers of the shops may upload.
  assert {
    condition = [for cors in google_storage_bucket.this["uploads"].cors : { origin = cors.origin, method = cors.method }] == [
      { origin = tolist(["https://shop.example.com"]), method = tolist(["PUT"]) },
    ]
    error_message = "The uploads bucket must take a PUT from the tenants' pages, and from no others."
  }

  # Secrets stay where they are with one region.
  assert {
    condition     = alltrue([for secret in google_secret_manager_secret.this : secret.replication[0].user_managed[0].replicas[*].location == tolist(["us-central1"])])
    error_message = "A secret is kept in the first region."
  }
}

run "photos_are_kept_for_as_long_as_the_dead_letters_of_their_jobs" {
  command = plan

  variables {
    retention_days = { uploads = 6 }
  }

  expect_failures = [var.retention_days]
}

run "both_may_be_kept_for_a_shorter_time" {
  command = plan

  variables {
    retention_days = { uploads = 1, dead_letters = 1 }
  }

  assert {
    condition     = [for rule in google_storage_bucket.this["uploads"].lifecycle_rule : one(rule.condition).age if one(rule.action).type == "Delete"] == [1]
    error_message = "A photo is not kept for the day that was asked for."
  }
}

run "uploads_may_be_kept_for_longer_but_never_longer_than_the_records_of_their_jobs" {
  command = plan

  variables {
    retention_days = { uploads = 40 }
  }

  expect_failures = [var.retention_days]
}

run "secrets_stay_where_they_are_with_two_regions" {
  command = plan

  variables {
    second_region = "europe-west4"
    active_region = "europe-west4"
  }

  assert {
    condition     = alltrue([for secret in google_secret_manager_secret.this : secret.replication[0].user_managed[0].replicas[*].location == tolist(["us-central1"])])
    error_message = "Another replication is another secret, without a value: a second region must not replace any."
  }
}

run "nothing_that_is_needed_is_deleted_by_mistake" {
  command = plan

  variables {
    delivery = { staging = "cutout-staging" }
  }

  assert {
    condition = (
      alltrue([for secret in concat(values(google_secret_manager_secret.this), values(google_secret_manager_secret.smoke_key)) : secret.deletion_protection])
      && alltrue([for bucket in concat(values(google_storage_bucket.this), [google_storage_bucket.source]) : !bucket.force_destroy])
      && !google_bigquery_dataset.requests.delete_contents_on_destroy
    )
    error_message = "A secret, or a bucket or data set with something in it, could be deleted."
  }
}

run "staging_can_be_destroyed_as_a_whole" {
  command = plan

  variables {
    deletion_protection = false
  }

  assert {
    condition = (
      alltrue([for secret in google_secret_manager_secret.this : !secret.deletion_protection])
      && alltrue([for bucket in concat(values(google_storage_bucket.this), [google_storage_bucket.source]) : bucket.force_destroy])
      && google_bigquery_dataset.requests.delete_contents_on_destroy
    )
    error_message = "What holds something would stay, and keep the rest from being destroyed."
  }
}
