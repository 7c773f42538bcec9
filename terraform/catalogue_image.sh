#!/usr/bin/env bash
# catalogue_image.sh ENVIRONMENT PROJECT: the job for catalogues gets the image that the rollout promoted. With DRY_RUN
# set, it only says so.
set -euo pipefail
environment=$1 project=$2
cd "$(dirname "$0")/../out"

region=$(<"catalogue_region-$environment")
[[ -n $region ]] || exit 0
${DRY_RUN:+echo would} gcloud run jobs update catalogue --project="$project" --region="$region" \
  --image="$(<"image-$environment")" --quiet
