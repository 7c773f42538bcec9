project     = "cutout-staging"
environment = "staging"
domain      = "staging.cutout.example.com"

# Staging has quotas of its own, those of a new project, and no shoppers.
worker    = { max_instances = 1 }
catalogue = { tasks = 1, parallelism = 1 }

warming = { policy = "off" }

deletion_protection = false

tenants = [
  {
    name          = "smoke"
    key_sha256    = ["0000000000000000000000000000000000000000000000000000000000000000"]
    origins       = ["https://staging.shop.example.com"]
    daily_cap_usd = "1"
  },
]

model        = "inspyrenet-base-000000000000-f32-p1"
worker_image = "us-central1-docker.pkg.dev/cutout-staging/worker/gpu-worker@sha256:0000000000000000000000000000000000000000000000000000000000000000"

runbooks_url = "https://github.com/example/cutout/blob/main/docs/runbooks.md"

# Who is told by mail, and the account whose bill has a budget, if so: docs/operations.md, steps 5 and 9.
# alert_emails = { owner = "owner@example.com" }
budget = {
  # billing_account  = "000000-000000-000000"
  usd_per_month      = 60
  worker_usd_per_day = 5
}

# Made by production's module, so production is applied first.
delivery = { account = "delivery@cutout-production.iam.gserviceaccount.com" }
