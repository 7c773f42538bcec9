mock_provider "google" {
  source          = "./tests/mocks"
  override_during = plan
}

run "by_default" {
  command = plan

  # Every message that is given up is kept.
  assert {
    condition = alltrue([
      for subscription in google_pubsub_subscription.this : alltrue([
        for policy in subscription.dead_letter_policy :
        anytrue([for topic in google_pubsub_topic.this : topic.id == policy.dead_letter_topic])
        && anytrue([for other in google_pubsub_subscription.this : other.topic == policy.dead_letter_topic])
        && anytrue([
          for grant in google_pubsub_topic_iam_member.dead_letters : grant.topic == policy.dead_letter_topic
          && grant.role == "roles/pubsub.publisher" && grant.member == local.agents.pubsub
        ])
        && anytrue([
          for grant in google_pubsub_subscription_iam_member.dead_letters : grant.subscription == subscription.id
          && grant.role == "roles/pubsub.subscriber" && grant.member == local.agents.pubsub
        ])
      ])
    ])
    error_message = "A dead-letter topic lacks a subscription, or Pub/Sub the right to move messages there."
  }

  assert {
    condition = { for name, subscription in google_pubsub_subscription.this : name => try(subscription.dead_letter_policy[0].max_delivery_attempts, 0) } == {
      deliver        = 20
      jobs-worker    = 20
      notify         = 20
      on-alert       = 20
      on-dead-letter = 0
      record-cost    = 100
      render         = 20
      warm           = 0
      warmups-worker = 0
    }
    error_message = "Subscriptions try for another number of times than they should."
  }

  assert {
    condition     = local.agents.pubsub == "serviceAccount:service-123456789012@gcp-sa-pubsub.iam.gserviceaccount.com"
    error_message = "Pub/Sub moves messages as its own agent."
  }

  # Subscriptions wait and last.
  assert {
    condition = alltrue([
      for subscription in google_pubsub_subscription.this : subscription.ack_deadline_seconds == 600
      && subscription.retry_policy[0].minimum_backoff == "10s" && subscription.retry_policy[0].maximum_backoff == "600s"
      && subscription.expiration_policy[0].ttl == ""
    ])
    error_message = "A subscription waits for too short a time, or goes away when it is not used."
  }

  assert {
    condition     = toset([for name, subscription in google_pubsub_subscription.this : name if subscription.message_retention_duration == "600s"]) == toset(["warm", "warmups-worker"])
    error_message = "Ticks and warm-ups, and nothing else, are dropped after ten minutes."
  }

  assert {
    condition     = google_cloud_scheduler_job.warm.pubsub_target[0].attributes["tick"] == "warm" && google_cloud_scheduler_job.warm.schedule == "* * * * *"
    error_message = "The tick comes every minute, and says that it is one."
  }

  # Pushes say who they are.
  assert {
    condition = alltrue([
      for name, subscription in google_pubsub_subscription.this :
      subscription.push_config[0].oidc_token[0].service_account_email == (
        endswith(name, "-worker") ? google_service_account.push.email : google_service_account.events.email
      )
    ])
    error_message = "A push carries the token of the wrong account."
  }

  assert {
    condition = alltrue([
      for subscription in [google_pubsub_subscription.this["jobs-worker"], google_pubsub_subscription.this["warmups-worker"]] :
      subscription.push_config[0].oidc_token[0].audience == one(google_cloud_run_v2_service.worker["us-central1"].custom_audiences)
    ])
    error_message = "The worker expects another audience than its pushes name."
  }

  # Googles own accounts may do what they do for us.
  assert {
    condition = { for grant in google_service_account_iam_member.pushes : grant.service_account_id => "${grant.role} ${grant.member}" } == {
      for account in [google_service_account.events, google_service_account.push] : account.name =>
      "roles/iam.serviceAccountTokenCreator serviceAccount:service-123456789012@gcp-sa-pubsub.iam.gserviceaccount.com"
    }
    error_message = "Pub/Sub makes tokens for the accounts of the pushes, and for no others."
  }

  assert {
    condition     = "${google_project_iam_member.eventarc.role} ${google_project_iam_member.eventarc.member}" == "roles/eventarc.serviceAgent serviceAccount:service-123456789012@gcp-sa-eventarc.iam.gserviceaccount.com"
    error_message = "Eventarc's account can't make the subscription of the trigger."
  }

  # Schemas refuse what nobody can read.
  assert {
    condition = { for name, topic in google_pubsub_topic.this : name => one(topic.schema_settings[*].encoding) if length(topic.schema_settings) > 0 } == {
      costs = "JSON", jobs = "JSON", renders = "JSON", results = "JSON", warmups = "JSON"
    }
    error_message = "A topic has a schema that it should not have, or none that it should."
  }
}

