#!/usr/bin/env python3
"""Measures drift of a large account: `plumbline drift` on a state of RESOURCES resources, with its live side once and ten times.

    python3 scripts/bench.py PLUMBLINE [--resources 14160] [--dir target/bench]

Prints one JSON object a line. The ten times larger live side is the same one ten times, nine of them under other ids in other
regions, so that nine tenths of it are extra. `user_s` is processor time, which other work on the machine disturbs less than `seconds`.
"""

import argparse
import json
import os
import pathlib
import re
import subprocess
import sys
import time

HERE = pathlib.Path(__file__).resolve().parent
GENERATE = HERE.parent / "tests/fixtures/aws-large/generate.py"
DRIFT_FOUND = 3


def measured(command):
    """Runs a command; what it printed, its seconds by the clock and on the processor, and its peak memory in MB."""
    start = time.monotonic()
    child = subprocess.Popen(command, stdout=subprocess.PIPE)
    out = child.stdout.read()
    _, status, usage = os.wait4(child.pid, 0)
    seconds = time.monotonic() - start
    if os.waitstatus_to_exitcode(status) != DRIFT_FOUND:
        sys.exit(f"{command} ended with status {os.waitstatus_to_exitcode(status)}")
    # Kilobytes on Linux, bytes on macOS.
    unit = 1 if sys.platform == "darwin" else 1024
    return out, {
        "seconds": round(seconds, 2),
        "user_s": round(usage.ru_utime, 2),
        "peak_mb": round(usage.ru_maxrss * unit / 1e6, 1),
    }


def ten_times(live, target):
    """Writes the live side ten times; the copies get ids, ARNs, names of buckets and regions of their own."""
    named = re.compile(r'"(id|arn|region|bucket)":\s*"')
    with open(target, "w") as out:
        for copy in range(10):
            with open(live) as lines:
                for line in lines:
                    out.write(named.sub(lambda m: f'{m.group(0)}copy{copy}-', line) if copy else line)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("plumbline")
    parser.add_argument("--resources", type=int, default=14160)
    parser.add_argument("--dir", type=pathlib.Path, default=HERE.parent / "target/bench")
    args = parser.parse_args()
    args.dir.mkdir(parents=True, exist_ok=True)
    subprocess.run(
        [sys.executable, GENERATE, "--resources", str(args.resources), "--out", args.dir],
        check=True, stdout=subprocess.DEVNULL,
    )
    state, live, larger = (args.dir / name for name in ("terraform.tfstate", "live.jsonl", "live10.jsonl"))
    ten_times(live, larger)
    expected = json.loads((args.dir / "expected.json").read_text())["counts"]
    for times, inventory in ((1, live), (10, larger)):
        out, figures = measured([args.plumbline, "drift", "--state", state, "--live", inventory, "--json"])
        counts = {}
        for line in out.splitlines():
            kind = json.loads(line).get("kind", "summary")
            counts[kind] = counts.get(kind, 0) + 1
        for kind in ("changed", "missing") + (("extra",) if times == 1 else ()):
            if counts.get(kind, 0) != expected[kind]:
                sys.exit(f"{kind}: {counts.get(kind, 0)} instead of {expected[kind]}")
        print(json.dumps({
            "metric": "drift", "declared": args.resources, "live_times": times,
            "state_mb": round(state.stat().st_size / 1e6, 1), "live_mb": round(inventory.stat().st_size / 1e6, 1),
            **figures,
        }), flush=True)


if __name__ == "__main__":
    main()
