"""Checks the catalogue of events (a file, as `plumbline events --json` prints it): each example fits the schema of its own type, and of no other."""

import json
import sys

from jsonschema import Draft202012Validator

catalogue = json.load(open(sys.argv[1], encoding="utf-8"))
for entry in catalogue:
    Draft202012Validator.check_schema(entry["schema"])
    validator = Draft202012Validator(entry["schema"], format_checker=Draft202012Validator.FORMAT_CHECKER)
    for other in catalogue:
        errors = [error.message for error in validator.iter_errors(other["example"])]
        if (entry is other) != (not errors):
            sys.exit(f"{other['type']} against the schema of {entry['type']}: {errors}")
print(len(catalogue), "types checked")
