// Verifies messages (JSON lines on stdin) with JavaScript's standardwebhooks: each of their secrets, and that a change is noticed.

import assert from "node:assert";
import { readFileSync } from "node:fs";
import { Webhook, WebhookVerificationError } from "standardwebhooks";

let verified = 0;
for (const line of readFileSync(0, "utf8").trimEnd().split("\n")) {
  const { secrets, headers, body } = JSON.parse(line);
  for (const secret of secrets) {
    const webhook = new Webhook(secret);
    webhook.verify(body, headers, { jsonParse: false });
    assert.throws(() => webhook.verify(`${body} `, headers, { jsonParse: false }), WebhookVerificationError);
    verified += 1;
  }
}
console.log(`${verified} signatures verified`);
