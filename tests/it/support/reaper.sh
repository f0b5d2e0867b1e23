#!/bin/sh
# reaper.sh PSQL PID: stops the tests' Postgres (process PID, URL in $DATABASE) once nobody has been connected for half a minute.
idle=0
while sleep 5; do
    kill -0 "$2" 2>/dev/null || exit 0
    clients=$("$1" "$DATABASE" -AtXc "select count(*) from pg_stat_activity where backend_type = 'client backend' and pid <> pg_backend_pid()") || exit 0
    if [ "$clients" = 0 ]; then idle=$((idle + 1)); else idle=0; fi
    if [ "$idle" -ge 6 ]; then
        kill -INT "$2"
        exit 0
    fi
done
