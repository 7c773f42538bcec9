mock_provider "google" {
  source          = "./tests/mocks"
  override_during = plan
}

run "nothing_is_delivered_where_nobody_said_so" {
  command = plan

  assert {
    condition     = length(google_cloudbuild_trigger.delivery) + length(google_service_account.delivery) + length(google_project_iam_member.delivery) + length(google_project_iam_member.delivery_grants) == 0
    error_message = "Without delivery there is neither a trigger nor an account nor a right."
  }

  assert {
    condition     = output.standby_region == "" && output.active_region == "us-central1"
    error_message = "The rollout goes to the only region."
  }
}

run "commits_to_production_are_approved" {
  command = plan

  variables {
    second_region = "europe-west4"
    active_region = "europe-west4"
    delivery = {
      repository = "projects/cutout-test/locations/us-central1/connections/github/repositories/cutout"
      staging    = "cutout-staging"
      quotas     = { production = 8 }
    }
  }

  assert {
    condition = (
      google_cloudbuild_trigger.delivery["delivery"].filename == "cloudbuild.yaml"
      && google_cloudbuild_trigger.delivery["delivery"].repository_event_config[0].push[0].branch == "^main$"
      && google_cloudbuild_trigger.delivery["delivery"].approval_config[0].approval_required
    )
    error_message = "Commits of main alone are delivered, and only once somebody approved."
  }

  assert {
    condition     = alltrue([for pattern in ["**/*.md", "docs/**"] : contains(google_cloudbuild_trigger.delivery["delivery"].ignored_files, pattern)])
    error_message = "A commit of documents deploys nothing."
  }

  assert {
    condition     = google_cloudbuild_trigger.delivery["delivery"].service_account == google_service_account.delivery["delivery"].id
    error_message = "Builds run as the account that delivers."
  }

  assert {
    condition     = google_cloudbuild_trigger.delivery["delivery"].substitutions == tomap({ _PRODUCTION_QUOTA = "8", _REGION = "us-central1", _STAGING_PROJECT = "cutout-staging", _STAGING_QUOTA = "3" })
    error_message = "The build is told of this region, of staging's project, and of both quotas."
  }

  assert {
    condition     = alltrue([for grant in google_project_iam_member.delivery : grant.member == google_service_account.delivery["delivery"].member]) && length(google_project_iam_member.delivery) == length(local.delivery_roles)
    error_message = "The account gets the roles that it delivers with."
  }

  assert {
    condition     = output.active_region == "europe-west4" && output.standby_region == "us-central1"
    error_message = "The rollout goes to the region that gets the jobs, then to the other one."
  }
}

run "the_account_that_delivers_grants_itself_nothing_by_mistake" {
  command = plan

  variables {
    delivery = { staging = "cutout-staging" }
  }

  assert {
    condition     = length(setintersection(local.delivery_roles, ["roles/owner", "roles/editor", "roles/resourcemanager.projectIamAdmin", "roles/iam.securityAdmin", "roles/iam.serviceAccountTokenCreator", "roles/iam.serviceAccountKeyAdmin"])) == 0
    error_message = "A role is too large."
  }

  assert {
    condition     = length(setintersection(local.granted_roles, local.delivery_roles)) == length(setintersection(local.granted_roles, ["roles/logging.logWriter"]))
    error_message = "It may grant a role of its own."
  }

  assert {
    condition     = alltrue([for grant in google_project_iam_member.delivery_grants : length(grant.condition) == 1 && strcontains(grant.condition[0].expression, "hasOnly(['roles/bigquery.jobUser', ")])
    error_message = "What it may grant is not bounded."
  }

  assert {
    condition = length(setsubtract(
      [for grant in concat(values(google_project_iam_member.function), values(google_project_iam_member.worker), values(google_project_iam_member.build), [google_project_iam_member.storage_events, google_project_iam_member.event_receiver, google_project_iam_member.eventarc]) : grant.role],
      local.granted_roles,
    )) == 0
    error_message = "The module grants a role that the account may not grant."
  }

  assert {
    condition     = length(google_cloudbuild_trigger.delivery) == 0
    error_message = "Without a repository there is nothing to trigger."
  }
}

run "staging_is_delivered_to_from_production" {
  command = plan

  variables {
    delivery = { account = "delivery@cutout-production.iam.gserviceaccount.com" }
  }

  assert {
    condition     = length(google_service_account.delivery) + length(google_cloudbuild_trigger.delivery) + length(google_secret_manager_secret.smoke_key) == 0
    error_message = "Staging builds nothing."
  }

  assert {
    condition     = alltrue([for grant in concat(values(google_project_iam_member.delivery), values(google_project_iam_member.delivery_grants)) : grant.member == "serviceAccount:delivery@cutout-production.iam.gserviceaccount.com"])
    error_message = "Production's account delivers here."
  }
}

run "a_repository_is_named_in_full" {
  command = plan

  variables {
    delivery = { repository = "github.com/shop/cutout", staging = "cutout-staging" }
  }

  expect_failures = [var.delivery]
}

run "a_trigger_needs_staging" {
  command = plan

  variables {
    delivery = { repository = "projects/cutout-test/locations/us-central1/connections/github/repositories/cutout" }
  }

  expect_failures = [var.delivery]
}
