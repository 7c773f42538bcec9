project     = "cutout-production"
environment = "production"
domain      = "cutout.example.com"

tenants = [
  {
    name          = "acme"
    key_sha256    = ["0000000000000000000000000000000000000000000000000000000000000000"]
    origins       = ["https://shop.example.com"]
    daily_cap_usd = "50"
  },
  # The jobs of a rollout, and the photo that a build sends through the public API. No page has its key.
  {
    name          = "smoke"
    key_sha256    = ["0000000000000000000000000000000000000000000000000000000000000000"]
    origins       = []
    daily_cap_usd = "1"
  },
]

model        = "inspyrenet-base-000000000000-f32-p1"
worker_image = "us-central1-docker.pkg.dev/cutout-production/worker/gpu-worker@sha256:0000000000000000000000000000000000000000000000000000000000000000"

runbooks_url = "https://github.com/example/cutout/blob/main/docs/runbooks.md"

# Who is told by mail, and the account whose bill has a budget, if so: docs/operations.md, steps 5 and 9.
# alert_emails = { owner = "owner@example.com" }
budget = {
  # billing_account  = "000000-000000-000000"
  usd_per_month      = 150
  worker_usd_per_day = 10
}

# What on_alert does by itself, besides telling people.
alerts = {
  mitigations = [
    { policy = "Worker errors", action = "rollback", service = "gpu-worker" },
    { policy = "Budget", action = "pause_warming", minutes = 720 },
    { policy = "Budget", action = "cap_instances", service = "gpu-worker", instances = 1 },
  ]
}

# Builds run here. With `repository`, pushes to its main branch start them.
delivery = { staging = "cutout-staging" }
