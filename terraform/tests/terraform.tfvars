# For `terraform test`.
project          = "cutout-test"
environment      = "staging"
domain           = "api.example.com"
function_archive = "tests/archive"
model            = "instant-000000000000-f32-p1"
worker_image     = "us-central1-docker.pkg.dev/cutout-test/worker/gpu-worker@sha256:0000000000000000000000000000000000000000000000000000000000000000"

tenants = [
  {
    name          = "acme"
    key_sha256    = ["9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08"]
    origins       = ["https://shop.example.com"]
    daily_cap_usd = "5"
  },
]

runbooks_url = "https://github.com/example/cutout/blob/main/docs/runbooks.md"
