terraform {
  # Tests give computed attributes a value while planning: since 1.11.
  required_version = ">= 1.11"

  required_providers {
    google = {
      source  = "hashicorp/google"
      version = ">= 7.16, < 9.0"
    }
  }

  # terraform init -backend-config="bucket=PROJECT-terraform": a bucket a project, made by hand before the first apply.
  backend "gcs" {
    prefix = "cutout"
  }
}

provider "google" {
  project = var.project
  region  = var.region

  # Calls that are no resource of the project's own, such as the budget's, are billed to it too.
  billing_project       = var.project
  user_project_override = true

  default_labels = {
    application = "cutout"
    environment = var.environment
  }
}

data "google_project" "this" {
  project_id = var.project
}
