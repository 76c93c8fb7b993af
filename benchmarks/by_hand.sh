#!/usr/bin/env bash
# What a person types to deploy a commit, with the real tools on the same systems as Slipway.
#
#   by_hand.sh bare   TREE COMMIT    the procedure as READMEs have it
#   by_hand.sh proven TREE COMMIT    the same, with the proofs that Slipway adds
#
# TREE is a clean work tree at COMMIT. The environment says where things are (benchmarks/world.py);
# logged in is whoever $DOCKER_CONFIG and $PULUMI_ACCESS_TOKEN say. Prints "STEP SECONDS" lines.
set -euo pipefail

variant=$1 tree=$2 commit=$3
image=$REPOSITORY:$commit
key="pulumiConfig[\"$KEY\"]"

step() { # name, command …: run it, and say how long it took
  local name=$1 began=$EPOCHREALTIME
  shift
  "$@"
  awk -v name="$name" -v a="$began" -v b="$EPOCHREALTIME" 'BEGIN { printf "%s %.3f\n", name, b - a }'
}

fail() {
  echo "$*" >&2
  exit 1
}

build() { docker build --quiet --tag "$image" --tag "$REPOSITORY:main" "$tree/$FOLDER" >/dev/null; }

push() {
  docker push --quiet "$image" >/dev/null
  docker push --quiet "$REPOSITORY:main" >/dev/null
}

pin() { pulumi env set "$ENVIRONMENT" "$key" "$image" --plaintext >/dev/null; }

preview() { pulumi preview --cwd "$tree/cluster" --stack "$STACK" --non-interactive >/dev/null; }

up() {
  local more=("$@")
  pulumi up --cwd "$tree/cluster" --stack "$STACK" --non-interactive --yes "${more[@]}" >/dev/null
}

rollout() {
  kubectl --namespace "$NAMESPACE" rollout status "deployment/$DEPLOYMENT" --timeout 120s >/dev/null
}

read_digest() {
  digest=$(skopeo inspect --tls-verify=false --authfile "$DOCKER_CONFIG/config.json" \
    --format '{{.Digest}}' "docker://$image")
}

read_pin() {
  local value
  value=$(pulumi env get "$ENVIRONMENT" "$key" --value string)
  [ "$value" = "$image" ] || fail "ESC holds $value, not $image"
}

running() { # every pod that is not on its way out runs the digest, ready
  local line pods=0
  while read -r line; do
    [[ $line == *"@$digest true" ]] || fail "a pod reports $line, not $digest"
    pods=$((pods + 1))
  done < <(kubectl --namespace "$NAMESPACE" get pods --selector "$SELECTOR" --output go-template='
{{range .items}}{{if not .metadata.deletionTimestamp}}{{range .status.containerStatuses}}{{.imageID}} {{.ready}}
{{end}}{{end}}{{end}}' | grep .)
  [ "$pods" -gt 0 ] || fail "no pod runs"
}

restarts() {
  kubectl --namespace "$NAMESPACE" get pods --selector "$SELECTOR" \
    --output jsonpath='{.items[*].status.containerStatuses[*].restartCount}'
}

health() {
  local pod pods
  pods=$(kubectl --namespace "$NAMESPACE" get pods --selector "$SELECTOR" --output go-template='
{{range .items}}{{if not .metadata.deletionTimestamp}}{{.metadata.name}} {{end}}{{end}}')
  for pod in $pods; do
    kubectl get --raw "/api/v1/namespaces/$NAMESPACE/pods/$pod:8080/proxy/health" >/dev/null
  done
}

soak() {
  local before
  before=$(restarts)
  sleep "$SOAK"
  [ "$(restarts)" = "$before" ] || fail "a pod restarted within the soak"
}

case $variant in
  bare)
    step build build
    step push push
    step pin pin
    step up up
    step rollout rollout
    ;;
  proven)
    step build build
    step push push
    step digest read_digest
    step pin pin
    step pinned read_pin
    step preview preview
    step up up --skip-preview
    step rollout rollout
    step running running
    step health health
    step soak soak
    step running running
    step health health
    ;;
  *) fail "bare or proven, not $variant" ;;
esac
