"""What the programs here share: where wabridge is, whom they write to, and one JSON line on standard
output for each thing that came about."""

import json
import os
import sys

KEY = os.environ["API_KEY"]
NUMBER = os.environ["NUMBER"]
CUSTOMER = os.environ["CUSTOMER"]
# A message of the customer's.
EARLIER = os.environ["EARLIER"]


def say(**fact):
    print(json.dumps(fact), flush=True)


def play(kinds, code_of):
    """Plays the kinds that the arguments name, and says what the library made of each: what `kinds`
    returns, or the code of the error it raised."""
    for kind in sys.argv[1:]:
        try:
            say(kind=kind, gave=kinds[kind]())
        except Exception as error:
            code = code_of(error)
            if code is None:
                raise
            say(kind=kind, code=code)
