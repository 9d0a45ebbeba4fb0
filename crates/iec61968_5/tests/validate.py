"""Validates documents against schemas with two engines.

Arguments are pairs: a schema and a document. Prints a line for each fault and exits with 1 if
there is any.
"""

import sys

import xmlschema
from lxml import etree


def main(pairs):
    lxml_schemas, xmlschema_schemas, faults = {}, {}, 0
    for xsd, xml in zip(pairs[::2], pairs[1::2]):
        if xsd not in lxml_schemas:
            lxml_schemas[xsd] = etree.XMLSchema(etree.parse(xsd))
            xmlschema_schemas[xsd] = xmlschema.XMLSchema(xsd)
        document = etree.parse(xml)
        if not lxml_schemas[xsd].validate(document):
            print(f"lxml: {xml}: {lxml_schemas[xsd].error_log}")
            faults += 1
        for error in xmlschema_schemas[xsd].iter_errors(xml):
            print(f"xmlschema: {xml}: {error.reason}")
            faults += 1
    print(f"{len(pairs) // 2} documents, {faults} faults")
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
