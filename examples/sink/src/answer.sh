#!/bin/sh
# Answers one HTTP request: annotations come by POST, and `GET /count` tells how many there are.
read -r method path _
length=0
while read -r header && [ -n "${header%?}" ]; do
  case "$header" in
    [Cc]ontent-[Ll]ength:*) length="${header#*: }" && length="${length%?}" ;;
  esac
done

status="404 Not Found"
case "$method $path" in
  "GET /health" | "GET /count") status="200 OK" ;;
  "POST /annotations")
    head -c "$length" >/dev/null
    echo . >>/tmp/annotations
    status="202 Accepted"
    ;;
esac
count=$(cat /tmp/annotations 2>/dev/null | wc -l)
body="{\"service\": \"annotations-sink\", \"release\": \"$(cat /srv/release)\", \"count\": $count}"
printf 'HTTP/1.1 %s\r\nContent-Type: application/json\r\nContent-Length: %s\r\nConnection: close\r\n\r\n%s' \
  "$status" "${#body}" "$body"
