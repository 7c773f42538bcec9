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
]

model        = "inspyrenet-base-000000000000-fp16-v1"
worker_image = "us-central1-docker.pkg.dev/cutout-production/worker/gpu-worker@sha256:0000000000000000000000000000000000000000000000000000000000000000"

runbooks_url = "https://github.com/example/cutout/blob/main/docs/runbooks.md"

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
