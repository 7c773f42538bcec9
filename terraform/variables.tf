variable "project" {
  description = "Id of the Google Cloud project: one for each environment, with nothing else in it."
  type        = string

  validation {
    condition     = can(regex("^[a-z][a-z0-9-]{4,28}[a-z0-9]$", var.project))
    error_message = "A project id has 6 to 30 lower-case letters, digits and hyphens, and begins with a letter."
  }
}

variable "environment" {
  description = "What the project is for."
  type        = string

  validation {
    condition     = contains(["staging", "production"], var.environment)
    error_message = "The environment is staging or production."
  }
}

variable "region" {
  description = "Region of everything that has one. It must have L4 GPUs: https://cloud.google.com/run/docs/configuring/services/gpu#supported-regions."
  type        = string
  default     = "us-central1"
}

variable "repository" {
  description = "Folder of the repository: the SQL of the warehouse and, by default, the archive of the functions are read from there. Null is the folder above this one."
  type        = string
  default     = null
}

variable "function_archive" {
  description = "The functions' source, a zip file as `make archive` writes it. Null is out/functions.zip of the repository."
  type        = string
  default     = null
}

variable "tenants" {
  description = "Storefronts: the SHA-256 of each key that is valid now, the origins of their pages, what they may spend a day."
  type = list(object({
    name          = string
    key_sha256    = list(string)
    origins       = list(string)
    daily_cap_usd = string
  }))

  validation {
    condition     = alltrue([for tenant in var.tenants : can(regex("^[a-z0-9][a-z0-9-]{0,62}$", tenant.name))])
    error_message = "A tenant's name has at most 63 lower-case letters, digits and hyphens."
  }

  validation {
    condition     = alltrue(flatten([for tenant in var.tenants : [for key in tenant.key_sha256 : can(regex("^[0-9a-f]{64}$", key))]]))
    error_message = "A key is given by its SHA-256, 64 lower-case hex digits: the key itself is nobody's business here."
  }

  validation {
    condition     = alltrue(flatten([for tenant in var.tenants : [for origin in tenant.origins : can(regex("^https?://[^/*]+$", origin))]]))
    error_message = "An origin is scheme, host and perhaps port, without a path or a wildcard."
  }
}

variable "model" {
  description = "The worker's model id, as `python -m gpu_worker.weights show` prints it. The functions look up the cache by it, so it changes together with the worker's weights."
  type        = string

  validation {
    condition     = can(regex("^[a-z0-9][a-z0-9.-]*-[0-9a-f]{12}-${var.worker.precision}-p[0-9]+$", var.model))
    error_message = "A model's id is NAME-DIGEST-PRECISION-pVERSION, such as inspyrenet-base-0123456789ab-f32-p1, and its precision the worker's: else the cache answers nothing."
  }
}

variable "worker_image" {
  description = "Image of the worker, by digest. The service and the job for catalogues take it when they are made; afterwards the rollout decides which image serves, and the job follows it."
  type        = string

  validation {
    condition     = can(regex("@sha256:[0-9a-f]{64}$", var.worker_image))
    error_message = "The image is named by its digest, IMAGE@sha256:...: a tag may be another image tomorrow."
  }
}

variable "worker" {
  description = "The worker's instances. An L4 needs 4 vCPU and 16 GiB at least; the zonal quota of a new project is 3. `largest_batch` is the network's, at most so many photos go through it together. Another `precision` is another `model`."
  type = object({
    vcpus         = optional(number, 8)
    gib           = optional(number, 32)
    max_instances = optional(number, 3)
    largest_batch = optional(number, 4)
    precision     = optional(string, "f32")
  })
  default = {}

  validation {
    condition     = contains(["8/32", "4/16"], "${var.worker.vcpus}/${var.worker.gib}")
    error_message = "An instance with an L4 has 8 vCPU and 32 GiB, or 4 and 16."
  }

  validation {
    condition     = contains(["f32", "bf16", "f16"], var.worker.precision)
    error_message = "The precision is f32, bf16 or f16."
  }
}

variable "second_region" {
  description = <<-EOT
    Where a second worker stands by; null for none. It costs nothing until it is used, since it has no instances.
    `active_region` sends it the jobs, by one apply and without a new image, when the first region has no GPUs to give.
    It does not help against an outage of the region itself: functions, buckets and the images stay in the first one.
  EOT
  type        = string
  default     = null
}

variable "active_region" {
  description = "The region whose worker gets the jobs: the first or the second. Null is the first."
  type        = string
  default     = null

  validation {
    condition     = var.active_region == null || contains([var.region, coalesce(var.second_region, var.region)], coalesce(var.active_region, var.region))
    error_message = "The active region is the region or the second region."
  }
}

variable "retention_days" {
  description = <<-EOT
    How long objects are kept. A photo can get another effect, and a dead letter of it be replayed, as long as it is
    there, so it stays for as long as the letter. The records of a job outlive its results, or nobody could delete those.
  EOT
  type = object({
    uploads      = optional(number, 7)
    mattes       = optional(number, 30)
    results      = optional(number, 30)
    jobs         = optional(number, 31)
    dead_letters = optional(number, 7)
  })
  default = {}

  validation {
    condition     = alltrue([for days in values(var.retention_days) : days >= 1 && floor(days) == days])
    error_message = "Everything is kept for a whole number of days, at least one."
  }

  validation {
    condition     = var.retention_days.jobs > max(var.retention_days.mattes, var.retention_days.results, var.retention_days.uploads)
    error_message = "The records of a job must be kept for longer than its photo, its matte and its results."
  }

  validation {
    condition     = var.retention_days.uploads >= var.retention_days.dead_letters
    error_message = "A photo must be kept for as long as a dead letter of its job, which is worth nothing without it."
  }
}

variable "deletion_protection" {
  description = "Whether Terraform refuses to delete the worker, the cost table and the secrets, and buckets and data sets that are not empty."
  type        = bool
  default     = true
}
