# What the internet sees: one address, HTTPS, a limit for each client, the public functions, and the results on the CDN.

variable "domain" {
  description = "Host of the API; its A record must point to the output `address`, and so must that of cdn.DOMAIN if the CDN is on. Null takes a name that sslip.io's public DNS resolves to the address, which is good for a try."
  type        = string
  default     = null
}

variable "requests_per_minute" {
  description = <<-EOT
    How many requests a minute one client, by its address, may make of each public function; the next ones get 429.
    `orders` are those that ask for work, POST /uploads and POST /jobs. `others` is everything else: asking how a job
    stands, which a page does some six times a minute for each photo, telling of intents, deleting, preflights.
  EOT
  type = object({
    orders = optional(number, 10)
    others = optional(number, 300)
  })
  default = {}

  validation {
    condition     = alltrue([for count in values(var.requests_per_minute) : count >= 1 && floor(count) == count])
    error_message = "A client may make a whole number of requests a minute, at least one."
  }

  validation {
    condition     = var.requests_per_minute.others >= var.requests_per_minute.orders
    error_message = "Who orders something asks how it stands, so there must be at least as many others as orders."
  }
}

variable "cdn" {
  description = <<-EOT
    Results over Cloud CDN. First `enabled`, which makes the backend bucket; then a key for it is made, which gives it to
    the secret cdn-key too (docs/operations.md); then `signed`: from then on all results are given out by signed URLs of
    the CDN. Before, Cloud CDN's account does not exist. Keys are nothing for a state file. Deleted results are gone from
    the cache after `seconds`.
  EOT
  type = object({
    enabled = optional(bool, false)
    signed  = optional(bool, false)
    seconds = optional(number, 600)
  })
  default = {}

  validation {
    condition     = !var.cdn.signed || var.cdn.enabled
    error_message = "Signed URLs of the CDN need the CDN to be enabled."
  }

  # functions/views.py: RESULT_URL_LIFE.
  validation {
    condition     = var.cdn.seconds >= 1 && var.cdn.seconds <= 3600
    error_message = "What was deleted must be gone from the cache before the URL that a page has expires, an hour at most."
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
  ordering_paths = [for route in local.routes : route.path if contains(["request_upload", "restyle"], route.function)]
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

# One policy with two limits, and not one policy for each: a policy costs five times what a rule does. The answer is
# Google's own, without the headers that let a page read it: the client takes it for a lost connection, and tries again
# with pauses. The functions' own limits, which do tell, are in functions/rate_limit_settings.py.
resource "google_compute_security_policy" "public" {
  name        = "public-functions"
  description = "So many requests a minute of each client, counted for each function by itself"

  # What makes us spend something. Each of these paths is one function's alone, as `routes` says.
  rule {
    action      = "throttle"
    priority    = 1000
    description = "Orders of every client"

    match {
      expr {
        expression = "request.method == 'POST' && (${join(" || ", [for path in local.ordering_paths : "request.path == '${path}'"])})"
      }
    }

    rate_limit_options {
      conform_action = "allow"
      exceed_action  = "deny(429)"
      enforce_on_key = "IP"

      rate_limit_threshold {
        count        = var.requests_per_minute.orders
        interval_sec = 60
      }
    }
  }

  rule {
    action      = "throttle"
    priority    = 1100
    description = "All else of every client"

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
        count        = var.requests_per_minute.others
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
    description = "The rule that every policy ends with; one before it matches everybody"

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
# A response that came by a signed URL is only given to whoever has one, and a request without a signature gets what the
# bucket gives everybody: 403. The path of a URL is the object's name. The bucket's CORS settings answer pages here too,
# and its `Vary: Origin` keeps the answers for two shops' pages apart in the cache. A policy of Cloud Armor for a backend
# bucket can't limit rates, and what it could do, refuse whoever has no business here, the signature does.
resource "google_compute_backend_bucket" "results" {
  for_each = var.cdn.enabled ? { results = google_storage_bucket.this["results"].name } : {}

  name        = each.key
  bucket_name = each.value
  enable_cdn  = true

  # The bucket's own URLs say under which name a browser saves the answer. Here one answer serves all URLs of an object,
  # so it says only that it is to be saved, which is what keeps it from being a page of this domain.
  custom_response_headers = ["Content-Disposition: attachment", "X-Content-Type-Options: nosniff"]

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
  for_each = var.cdn.signed ? google_compute_backend_bucket.results : {}

  bucket = google_storage_bucket.this["results"].name
  role   = "roles/storage.objectViewer"
  member = "serviceAccount:service-${data.google_project.this.number}@cloud-cdn-fill.iam.gserviceaccount.com"
}
