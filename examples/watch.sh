#!/bin/sh
# Follows all jobs with nothing but curl: server-sent events, a line an event.
#
#     examples/watch.sh                     # http://127.0.0.1:8400
#     examples/watch.sh http://host:port
#
# Each line is one frame: {"cursor": "…"} with a snapshot, events, a bookmark or a reset.
# To go on after a break: add ?cursor=… of the last frame. Ctrl-C ends it.
set -eu
url=${1:-http://127.0.0.1:8400}
curl --no-buffer --silent --show-error --fail "$url/v1/jobs:watch" | sed -un 's/^data: //p'
