#!/usr/bin/env bash
# apply.sh ENVIRONMENT PROJECT IMAGE: brings an environment to what the module says. With DRY_RUN set, it only plans.
# What the rollout has to know is left in out/NAME-ENVIRONMENT.
set -euo pipefail
environment=$1 project=$2 image=$3
cd "$(dirname "$0")"
export TF_IN_AUTOMATION=1 TF_INPUT=0 TF_DATA_DIR=.terraform/$environment

terraform init -backend-config="bucket=$project-terraform"
terraform plan -lock-timeout=10m -var-file="$environment.tfvars" -var="project=$project" -var="worker_image=$image" \
  -out="$environment.tfplan"
[[ -n ${DRY_RUN:-} ]] || terraform apply -lock-timeout=10m "$environment.tfplan"
for name in active_region standby_region catalogue_region model api_url; do
  terraform output -raw "$name" >"../out/$name-$environment"
done
