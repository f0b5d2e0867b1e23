#!/bin/sh
# Measures the queue, the webhooks and the schedules: scripts/bench-queue.sh PLUMBLINE. One JSON object a line; docs/benchmarks.md explains them.
# Without DATABASE_URL on an embedded Postgres, in a folder under target.
set -eu
plumbline=$1
export PLUMBLINE_DATA_DIR="${PLUMBLINE_DATA_DIR:-${CARGO_TARGET_DIR:-target}/bench/queue}"
for run in 1 2 3; do
    "$plumbline" bench enqueue
    "$plumbline" bench latency
    for processes in 1 2 4; do
        "$plumbline" bench burn --processes "$processes"
    done
    "$plumbline" bench fairness
    "$plumbline" bench limit
    for what in sustained rate hanging; do
        "$plumbline" bench deliver "$what"
    done
done
"$plumbline" bench schedules
for waiting in 0 100000 1000000; do
    "$plumbline" bench claim --waiting "$waiting"
done
"$plumbline" bench maintenance
