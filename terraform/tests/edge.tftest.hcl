mock_provider "google" {
  source          = "./tests/mocks"
  override_during = plan
}

run "by_default" {
  command = plan

  # A client may order ten times a minute and ask for more.
  assert {
    condition = {
      for rule in google_compute_security_policy.public.rule : rule.priority => {
        count = rule.rate_limit_options[0].rate_limit_threshold[0].count, seconds = rule.rate_limit_options[0].rate_limit_threshold[0].interval_sec, key = rule.rate_limit_options[0].enforce_on_key, then = rule.rate_limit_options[0].exceed_action
      } if rule.action == "throttle"
      } == {
      1000 = { count = 10, seconds = 60, key = "IP", then = "deny(429)" }
      1100 = { count = 300, seconds = 60, key = "IP", then = "deny(429)" }
    }
    error_message = "Every client has a limit of 10 orders a minute, and of 300 other requests."
  }

  assert {
    condition = one([
      for rule in google_compute_security_policy.public.rule : rule.match[0].expr[0].expression if rule.priority == 1000
    ]) == "request.method == 'POST' && (request.path == '/uploads' || request.path == '/jobs')"
    error_message = "Orders are the requests that ask for work: not those for a job's status, nor intents, nor preflights."
  }

  assert {
    condition = one([
      for rule in google_compute_security_policy.public.rule : tolist(rule.match[0].config[0].src_ip_ranges) if rule.priority == 1100
    ]) == tolist(["*"])
    error_message = "No client and no request is without a limit."
  }

  assert {
    condition     = toset(keys(google_compute_backend_service.public)) == toset(["delete_job", "intents", "job_status", "request_upload", "restyle"]) && alltrue([for service in google_compute_backend_service.public : service.security_policy == google_compute_security_policy.public.id])
    error_message = "A public function stands without the rate limit."
  }

  # Paths lead where the local gateway leads them.
  assert {
    condition = [
      for rule in google_compute_url_map.this.path_matcher[0].route_rules : join(" ", compact([
        try(rule.match_rules[0].header_matches[0].exact_match, ""), rule.match_rules[0].full_path_match, rule.match_rules[0].prefix_match,
        one([for name, service in google_compute_backend_service.public : name if service.id == rule.service]),
      ]))
    ] == ["/uploads request_upload", "/jobs restyle", "/intents intents", "DELETE /jobs/ delete_job", "/jobs/ job_status"]
    error_message = "A path leads elsewhere."
  }

  assert {
    condition     = google_compute_url_map.redirect.default_url_redirect[0].https_redirect
    error_message = "HTTP leads to HTTPS."
  }

  assert {
    condition     = google_compute_managed_ssl_certificate.this.managed[0].domains == tolist(["api.example.com"])
    error_message = "The certificate is for the domain."
  }

  # Without the cdn the bucket gives out results.
  assert {
    condition     = length(google_compute_backend_bucket.results) == 0 && !anytrue([for function in google_cloudfunctions2_function.this : contains(keys(function.service_config[0].environment_variables), "CDN_HOST")]) && !contains(output.secrets, "cdn-key")
    error_message = "Something is there for a CDN that is off."
  }
}

run "without_a_domain_there_is_a_name_for_the_address" {
  command = plan

  variables {
    domain = null
  }

  assert {
    condition     = endswith(local.domain, ".sslip.io")
    error_message = "Without a domain, the address has a name of a public DNS."
  }
}

run "results_are_cached_and_stay_private" {
  command = plan

  variables {
    cdn = { enabled = true, signed = true }
  }

  assert {
    condition     = google_compute_backend_bucket.results["results"].enable_cdn && google_compute_backend_bucket.results["results"].cdn_policy[0].cache_mode == "FORCE_CACHE_ALL" && google_compute_backend_bucket.results["results"].cdn_policy[0].negative_caching
    error_message = "Results are not cached."
  }

  assert {
    condition     = one([for grant in google_storage_bucket_iam_member.cdn : grant.member]) == "serviceAccount:service-123456789012@cloud-cdn-fill.iam.gserviceaccount.com"
    error_message = "Cloud CDN's own account, and nobody else, reads results for the cache."
  }

  assert {
    condition     = google_compute_managed_ssl_certificate.this.managed[0].domains == tolist(["api.example.com", "cdn.api.example.com"])
    error_message = "The certificate is for the CDN's domain too."
  }
}

run "whoever_hands_out_urls_signs_for_the_cdn" {
  command = plan

  variables {
    cdn = { enabled = true, signed = true }
  }

  assert {
    condition = toset([
      for name, function in google_cloudfunctions2_function.this : name
      if try(function.service_config[0].environment_variables.CDN_HOST, "") == "cdn.api.example.com"
    ]) == toset(["deliver", "job_status", "notify", "request_upload"])
    error_message = "A function signs for the bucket and another for the CDN."
  }

  assert {
    condition = toset([for name in keys(google_secret_manager_secret_iam_member.function) : name if endswith(name, " cdn-key")]) == toset([
      "deliver cdn-key", "job_status cdn-key", "notify cdn-key", "request_upload cdn-key",
    ])
    error_message = "The CDN's key is for those who sign, and for nobody else."
  }

  assert {
    condition     = contains(output.secrets, "cdn-key")
    error_message = "Without a version of its secret, no function that signs would start."
  }

  assert {
    condition     = contains(google_compute_backend_bucket.results["results"].custom_response_headers, "Content-Disposition: attachment")
    error_message = "A result opens as a page of the CDN's domain."
  }
}

run "a_deleted_result_is_not_in_the_cache_for_longer_than_a_url_lives" {
  command = plan

  variables {
    cdn = { enabled = true, seconds = 7200 }
  }

  expect_failures = [var.cdn]
}

run "who_may_order_may_ask" {
  command = plan

  variables {
    requests_per_minute = { orders = 20, others = 10 }
  }

  expect_failures = [var.requests_per_minute]
}

run "the_cdn_signs_only_where_it_is_enabled" {
  command = plan

  variables {
    cdn = { signed = true }
  }

  expect_failures = [var.cdn]
}

run "nobody_reads_results_before_there_is_a_key" {
  command = plan

  variables {
    cdn = { enabled = true }
  }

  assert {
    condition     = length(google_storage_bucket_iam_member.cdn) == 0
    error_message = "Cloud CDN's account does not exist before the first key."
  }
}
