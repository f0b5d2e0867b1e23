"""Verifies messages (a file of JSON lines) with Python's standardwebhooks: each of their secrets, and that a change is noticed."""

import json
import sys

from standardwebhooks.webhooks import Webhook, WebhookVerificationError

verified = 0
for line in open(sys.argv[1], encoding="utf-8"):
    message = json.loads(line)
    body = message["body"].encode()
    for secret in message["secrets"]:
        Webhook(secret).verify(body, message["headers"], json_parse=False)
        verified += 1
        try:
            Webhook(secret).verify(body + b" ", message["headers"], json_parse=False)
            sys.exit(f"a changed body was verified: {message['headers']}")
        except WebhookVerificationError:
            pass
print(verified, "signatures verified")
