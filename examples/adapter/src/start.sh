#!/bin/sh
# Starts the service. Ends at once when told to: a container's first process ignores signals that it
# does not handle.
trap 'kill "$server"; exit 0' TERM INT
echo "ls-triton-adapter: release $(cat /srv/release) of $SOURCE_COMMIT listens on port 8080"
nc -ll -p 8080 -e /srv/answer.sh &
server=$!
wait "$server"
