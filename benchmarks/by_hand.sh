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

pods= # names of the pods and their restarts, as `running` has seen them

running() { # every pod that is not on its way out runs the digest, ready
  local listed image ready name restarts
  listed=$(kubectl --namespace "$NAMESPACE" get pods --selector "$SELECTOR" --output go-template='
{{range .items}}{{if not .metadata.deletionTimestamp}}{{$name := .metadata.name}}{{range .status.containerStatuses
}}{{.imageID}} {{.ready}} {{$name}} {{.restartCount}}
{{end}}{{end}}{{end}}')
  pods=
  while read -r image ready name restarts; do
    [ -n "$image" ] || continue
    [[ "$image $ready" == *"@$digest true" ]] || fail "$name reports $image $ready, not $digest"
    pods+="$name $restarts"$'\n'
  done <<<"$listed"
  [ -n "$pods" ] || fail "no pod runs"
}

health() {
  local name restarts
  while read -r name restarts; do
    [ -n "$name" ] || continue
    kubectl get --raw "/api/v1/namespaces/$NAMESPACE/pods/$name:8080/proxy/health" >/dev/null
  done <<<"$pods"
}

still_running() { # the same pods, and none has restarted since
  local before=$pods
  running
  [ "$pods" = "$before" ] || fail "a pod restarted within the soak"
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
    step soak sleep "$SOAK"
    step running still_running
    step health health
    ;;
  *) fail "bare or proven, not $variant" ;;
esac
