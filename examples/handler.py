#!/usr/bin/env python3
"""A bot in a few lines, run for each message:

    HANDLER_COMMAND='python3 /etc/wabridge/handler.py'

The event comes on standard input, as Meta would send it; replies go to standard output. What is
printed to standard error is kept with the event when the exit code is not 0.

    exit code 0   done          75   try again later          any other   a dead letter
"""

import json
import sys

event = json.load(sys.stdin)
message = event["entry"][0]["changes"][0]["value"]["messages"][0]

if message["type"] == "text":
    reply = "You said: " + message["text"]["body"]
elif message["type"] in ("image", "video", "audio", "document", "sticker"):
    reply = "I can read texts only."
else:
    sys.exit(0)  # reactions, taps, …: nothing to say

print(json.dumps({"messages": [{"type": "read"}, {"type": "text", "text": {"body": reply}}]}))
