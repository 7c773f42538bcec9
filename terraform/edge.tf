# What the internet sees: one address, HTTPS, a limit for each client, the public functions, and the results on the CDN.

variable "domain" {
  description = "Host of the API; its A record must point to the output `address`, and so must that of cdn.DOMAIN if the CDN is on. Null takes a name that sslip.io's public DNS resolves to the address, which is good for a try."
  type        = string
  default     = null
}

variable "requests_per_minute" {
  description = "How many requests a minute one client, by its address, may make of each public function. The next ones get 429."
  type        = number
  default     = 10

  validation {
    condition     = var.requests_per_minute >= 1 && floor(var.requests_per_minute) == var.requests_per_minute
    error_message = "A client may make a whole number of requests a minute, at least one."
  }
}

variable "cdn" {
  description = <<-EOT
    Results over Cloud CDN, by signed URLs. `key_name` is that of a key made with
    `gcloud compute backend-buckets add-signed-url-key results --key-name=NAME --key-file=FILE`: Cloud CDN's account
    exists only afterwards, and keys are nothing for a state file. Deleted results are gone from the cache after `seconds`.
  EOT
  type = object({
    enabled  = optional(bool, false)
    key_name = optional(string)
    seconds  = optional(number, 600)
  })
  default = {}

  validation {
    condition     = var.cdn.key_name == null || var.cdn.enabled
    error_message = "A key needs the CDN to be enabled."
  }
}

locals {
  domain     = coalesce(var.domain, "${replace(google_compute_global_address.this.address, ".", "-")}.sslip.io")
  cdn_domain = "cdn.${local.domain}"

  # As local/gateway.py does it. What no rule matches goes to job_status, which knows no such job. A preflight is
  # answered alike by all of them.
  routes = {
    1 = { function = "request_upload", path = "/uploads" }
    2 = { function = "restyle", path = "/jobs" }
    3 = { function = "intents", path = "/intents" }
    4 = { function = "delete_job", prefix = "/jobs/", method = "DELETE" }
    5 = { function = "job_status", prefix = "/jobs/" }
  }
}

resource "google_compute_global_address" "this" {
  name = "cutout"

  depends_on = [google_project_service.this]
}

resource "google_compute_managed_ssl_certificate" "this" {
  # A certificate's domains can't be changed, only another one be taken.
  name = "cutout-${substr(sha256(join(",", local.certified)), 0, 8)}"

  managed {
    domains = local.certified
  }

  lifecycle {
    create_before_destroy = true
  }
}

locals {
  certified = var.cdn.enabled ? [local.domain, local.cdn_domain] : [local.domain]
}

resource "google_compute_security_policy" "public" {
  name        = "public-functions"
  description = "So many requests a minute of each client, counted for each function by itself"

  rule {
    action      = "throttle"
    priority    = 1000
    description = "Every client"

    match {
      versioned_expr = "SRC_IPS_V1"
      config {
        src_ip_ranges = ["*"]
      }
    }

    rate_limit_options {
      conform_action = "allow"
      exceed_action  = "deny(429)"
      enforce_on_key = "IP"

      rate_limit_threshold {
        count        = var.requests_per_minute
        interval_sec = 60
      }
    }
  }

  # Log4j's hole is none of ours, but whoever looks for it is no shopper.
  rule {
    action      = "deny(403)"
    priority    = 900
    description = "Attempts at known holes"

    match {
      expr {
        expression = "evaluatePreconfiguredExpr('cve-canary')"
      }
    }
  }

  rule {
    action      = "allow"
    priority    = 2147483647
    description = "The rule that every policy ends with; the first one matches everybody"

    match {
      versioned_expr = "SRC_IPS_V1"
      config {
        src_ip_ranges = ["*"]
      }
    }
  }
}

resource "google_compute_region_network_endpoint_group" "public" {
  for_each = local.public_functions

  name                  = local.function_specs[each.key].service
  region                = var.region
  network_endpoint_type = "SERVERLESS"

  cloud_run {
    service = google_cloudfunctions2_function.this[each.key].name
  }
}

resource "google_compute_backend_service" "public" {
  for_each = local.public_functions

  name                  = local.function_specs[each.key].service
  description           = local.function_specs[each.key].text
  load_balancing_scheme = "EXTERNAL_MANAGED"
  protocol              = "HTTPS"
  security_policy       = google_compute_security_policy.public.id

  backend {
    group = google_compute_region_network_endpoint_group.public[each.key].id
  }

  log_config {
    enable      = true
    sample_rate = 1
  }
}

resource "google_compute_url_map" "this" {
  name            = "cutout"
  default_service = google_compute_backend_service.public["job_status"].id

  host_rule {
    hosts        = [local.domain]
    path_matcher = "api"
  }

  path_matcher {
    name            = "api"
    default_service = google_compute_backend_service.public["job_status"].id

    dynamic "route_rules" {
      for_each = local.routes
      content {
        priority = tonumber(route_rules.key)
        service  = google_compute_backend_service.public[route_rules.value.function].id

        match_rules {
          full_path_match = try(route_rules.value.path, null)
          prefix_match    = try(route_rules.value.prefix, null)

          dynamic "header_matches" {
            for_each = try([route_rules.value.method], [])
            content {
              header_name = ":method"
              exact_match = header_matches.value
            }
          }
        }
      }
    }
  }

  dynamic "host_rule" {
    for_each = google_compute_backend_bucket.results
    content {
      hosts        = [local.cdn_domain]
      path_matcher = "cdn"
    }
  }

  dynamic "path_matcher" {
    for_each = google_compute_backend_bucket.results
    content {
      name            = "cdn"
      default_service = path_matcher.value.id
    }
  }
}

resource "google_compute_target_https_proxy" "this" {
  name             = "cutout"
  url_map          = google_compute_url_map.this.id
  ssl_certificates = [google_compute_managed_ssl_certificate.this.id]
}

resource "google_compute_global_forwarding_rule" "https" {
  name                  = "cutout-https"
  load_balancing_scheme = "EXTERNAL_MANAGED"
  ip_address            = google_compute_global_address.this.id
  target                = google_compute_target_https_proxy.this.id
  port_range            = "443"
}

# Plain HTTP is told where to go, and nothing else.
resource "google_compute_url_map" "redirect" {
  name = "cutout-redirect"

  default_url_redirect {
    https_redirect         = true
    redirect_response_code = "MOVED_PERMANENTLY_DEFAULT"
    strip_query            = false
  }
}

resource "google_compute_target_http_proxy" "redirect" {
  name    = "cutout-redirect"
  url_map = google_compute_url_map.redirect.id
}

resource "google_compute_global_forwarding_rule" "http" {
  name                  = "cutout-http"
  load_balancing_scheme = "EXTERNAL_MANAGED"
  ip_address            = google_compute_global_address.this.id
  target                = google_compute_target_http_proxy.redirect.id
  port_range            = "80"
}

# The bucket is private: Cloud Storage would say that its objects must not be cached, so the mode says that they may.
# A response that came by a signed URL is only given to whoever has one.
resource "google_compute_backend_bucket" "results" {
  for_each = var.cdn.enabled ? { results = google_storage_bucket.this["results"].name } : {}

  name        = each.key
  bucket_name = each.value
  enable_cdn  = true

  cdn_policy {
    cache_mode                   = "FORCE_CACHE_ALL"
    default_ttl                  = var.cdn.seconds
    client_ttl                   = var.cdn.seconds
    signed_url_cache_max_age_sec = var.cdn.seconds
    request_coalescing           = true
    negative_caching             = true

    # Soon, since a result that is not there may be made the next moment.
    negative_caching_policy {
      code = 404
      ttl  = 10
    }

    negative_caching_policy {
      code = 410
      ttl  = 60
    }
  }
}

resource "google_storage_bucket_iam_member" "cdn" {
  for_each = var.cdn.key_name == null ? {} : google_compute_backend_bucket.results

  bucket = google_storage_bucket.this["results"].name
  role   = "roles/storage.objectViewer"
  member = "serviceAccount:service-${data.google_project.this.number}@cloud-cdn-fill.iam.gserviceaccount.com"
}
