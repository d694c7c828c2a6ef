"""Reads a page of figures with the parser of Prometheus's own client, which refuses what is not
OpenMetrics, and says each family."""

import json
import os
from urllib.request import Request, urlopen

from prometheus_client.openmetrics.parser import text_string_to_metric_families

request = Request(os.environ["PAGE"], headers={"Authorization": "Bearer " + os.environ["METRICS_KEY"]})
with urlopen(request) as answer:
    kind, text = answer.headers["Content-Type"], answer.read().decode()

for family in text_string_to_metric_families(text):
    samples = [[sample.name, sample.labels, sample.value] for sample in family.samples]
    print(
        json.dumps(
            {
                "content_type": kind,
                "name": family.name,
                "type": family.type,
                "unit": family.unit,
                "help": family.documentation,
                "samples": samples,
            }
        )
    )
