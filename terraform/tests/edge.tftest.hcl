mock_provider "google" {
  source          = "./tests/mocks"
  override_during = plan
}

run "a_client_may_make_ten_requests_a_minute" {
  command = plan

  assert {
    condition = [
      for rule in google_compute_security_policy.public.rule : {
        count = rule.rate_limit_options[0].rate_limit_threshold[0].count, seconds = rule.rate_limit_options[0].rate_limit_threshold[0].interval_sec, key = rule.rate_limit_options[0].enforce_on_key, then = rule.rate_limit_options[0].exceed_action
      } if rule.action == "throttle"
    ] == [{ count = 10, seconds = 60, key = "IP", then = "deny(429)" }]
    error_message = "Every client has a limit of 10 requests a minute."
  }

  assert {
    condition     = toset(keys(google_compute_backend_service.public)) == toset(["delete_job", "intents", "job_status", "request_upload", "restyle"]) && alltrue([for service in google_compute_backend_service.public : service.security_policy == google_compute_security_policy.public.id])
    error_message = "A public function stands without the rate limit."
  }
}

run "paths_lead_where_the_local_gateway_leads_them" {
  command = plan

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
    cdn = { enabled = true, key_name = "first" }
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
