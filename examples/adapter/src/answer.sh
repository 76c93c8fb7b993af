#!/bin/sh
# Answers one HTTP request: the request comes on standard input, the answer goes to standard output.
read -r _ path _
while read -r header && [ -n "${header%?}" ]; do :; done

status="404 Not Found"
if [ "$path" = /health ]; then
  status="200 OK"
fi
body="{\"service\": \"adapter\", \"release\": \"$(cat /srv/release)\", \"commit\": \"$SOURCE_COMMIT\"}"
printf 'HTTP/1.1 %s\r\nContent-Type: application/json\r\nContent-Length: %s\r\nConnection: close\r\n\r\n%s' \
  "$status" "${#body}" "$body"
