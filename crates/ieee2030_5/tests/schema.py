"""Makes instances of schema types, and judges documents by the schema.

    schema.py make XSD DIR TYPE...   writes DIR/TYPE.full.xml (everything, at its largest, out of order)
                                     and DIR/TYPE.minimal.xml (only what must be there)
    schema.py echo XSD DIR           has py20305 read DIR/*.xml with its own types and write DIR/../echoed
    schema.py bodies XSD DIR LFDI    writes to DIR what py20305's demonstration device sends
    schema.py judge XSD DIR          validates DIR/*.xml; where DIR/../made has a document of the same
                                     name, both must say the same
"""

import asyncio
import pathlib
import random
import sys

from lxml import etree

XS = "{http://www.w3.org/2001/XMLSchema}"
NS = "urn:ieee:std:2030.5:ns"
BUILT_IN = {
    "xs:anyURI": ("/a?b&c", "/"),
    "xs:boolean": ("true", "false"),
    "xs:unsignedByte": (str(2**8 - 1), "0"),
    "xs:unsignedShort": (str(2**16 - 1), "0"),
    "xs:unsignedInt": (str(2**32 - 1), "0"),
    "xs:unsignedLong": (str(2**64 - 1), "0"),
    "xs:byte": (str(-(2**7)), "0"),
    "xs:short": (str(-(2**15)), "0"),
    "xs:int": (str(-(2**31)), "0"),
    "xs:long": (str(2**63 - 1), "0"),
}


class Schema:
    def __init__(self, path):
        root = etree.parse(path).getroot()
        kinds = (XS + "complexType", XS + "simpleType")
        self.types = {e.get("name"): e for e in root if e.tag in kinds}
        self.random = random.Random(20305)

    def base(self, name):
        """The simple type that `name` is derived from, or None if it has elements."""
        definition = self.types.get(name)
        if definition is None:
            return name
        for step in ("extension", "restriction"):
            found = definition.find(f".//{XS}{step}")
            if found is not None and found.get("base"):
                if definition.find(f".//{XS}complexContent") is not None:
                    return None
                return found.get("base")
        return None

    def value(self, name, full):
        if name == "HexBinary160":
            # An LFDI is always its twenty octets, although the schema only bounds it.
            return "0F" * 20
        facets = {}
        while name not in BUILT_IN and name not in ("xs:hexBinary", "xs:string"):
            if name == "UInt40":
                # The schema repeats the bound of UInt48 here; the name says which one is meant.
                return str(2**40 - 1) if full else "0"
            restriction = self.types[name].find(f".//{XS}restriction")
            for facet in restriction if restriction is not None else ():
                facets.setdefault(facet.tag.removeprefix(XS), facet.get("value"))
            name = self.base(name)
        if name == "xs:hexBinary":
            return "0F" * int(facets["maxLength"]) if full else "0A"
        if name == "xs:string":
            text = "<&>\"' \u00e4\u20ac"
            return (text * 40)[: int(facets["maxLength"])] if full else ""
        bound = "minInclusive" if "minInclusive" in facets else "maxInclusive"
        return facets.get(bound, BUILT_IN[name][0]) if full else BUILT_IN[name][1]

    def simple(self, name):
        definition = self.types.get(name)
        if definition is None or definition.tag == XS + "simpleType":
            return True
        return definition.find(f".//{XS}simpleContent") is not None

    def parts(self, name):
        definition = self.types[name]
        attributes, elements = [], []
        extension = definition.find(f".//{XS}extension")
        if extension is not None and extension.get("base") in self.types:
            attributes, elements = self.parts(extension.get("base"))
        attributes += list(definition.iter(XS + "attribute"))
        elements += list(definition.iter(XS + "element"))
        return attributes, elements

    def fill(self, parent, name, full):
        if self.simple(name):
            parent.text = self.value(name, full)
            return
        attributes, elements = self.parts(name)
        for attribute in attributes:
            if full or attribute.get("use") == "required":
                parent.set(attribute.get("name"), self.value(attribute.get("type"), full))
        children = []
        for element in elements:
            if not full and element.get("minOccurs", "1") == "0":
                continue
            for _ in range(2 if full and element.get("maxOccurs", "1") != "1" else 1):
                child = etree.Element(f"{{{NS}}}{element.get('name')}")
                self.fill(child, element.get("type"), full)
                children.append(child)
        if full:
            self.random.shuffle(children)
        parent.extend(children)


def make(schema, directory, names):
    for name in names:
        for kind in ("full", "minimal"):
            root = etree.Element(f"{{{NS}}}{name}", nsmap={"any": NS})
            schema.fill(root, name, kind == "full")
            path = directory / f"{name}.{kind}.xml"
            etree.ElementTree(root).write(str(path), encoding="utf-8", xml_declaration=True)


def echo(directory):
    """Another team's client reads every document and says it again."""
    import py20305.models.sep as models
    from py20305.xml.serialization import from_xml, to_xml

    types = {name.lower(): getattr(models, name) for name in dir(models)}
    echoed = directory.parent / "echoed"
    echoed.mkdir(exist_ok=True)
    for document in sorted(directory.glob("*.xml")):
        body = document.read_bytes()
        name = etree.QName(etree.fromstring(body)).localname
        value = from_xml(body, types[name.lower()])
        (echoed / document.name).write_bytes(to_xml(value, server_2018_compat=True))


def bodies(directory, lfdi):
    """What another team's device puts and posts, from its own builders."""
    from py20305.connectors.print_demo import PrintDemoConnector
    from py20305.telemetry import log_events, mup
    from py20305.telemetry.der_availability import build_der_availability
    from py20305.telemetry.der_capability import build_der_capability
    from py20305.telemetry.der_settings import build_der_settings
    from py20305.telemetry.der_status import build_der_status
    from py20305.xml.serialization import to_xml

    device = PrintDemoConnector()

    async def fetch():
        return [
            await device.fetch_nameplate(),
            await device.fetch_configuration(),
            await device.fetch_status(),
            await device.fetch_availability(),
            await device.fetch_monitoring(),
        ]

    nameplate, configuration, status, availability, monitoring = asyncio.run(fetch())
    sent = {
        "dercap": build_der_capability(nameplate),
        "derg": build_der_settings(configuration),
        "ders": build_der_status(status, server_2018_compat=True),
        "dera": build_der_availability(availability),
        "mup": mup.create_mup(lfdi, monitoring, 300),
        "mmr": mup.create_meter_reading_list(lfdi, monitoring),
    }
    for name, value in sent.items():
        body = to_xml(value, server_2018_compat=True)
        (directory / f"{name}.xml").write_bytes(body)
    event = log_events.create_log_event_xml(0, server_2018_compat=True)
    (directory / "lel.xml").write_bytes(event)
    (directory / "power.txt").write_text(repr(monitoring["W"]))


def meaning(element):
    children = sorted(repr(meaning(child)) for child in element)
    text = "" if children else (element.text or "")
    return element.tag, sorted(element.attrib.items()), text, children


def judge(path, directory):
    schema = etree.XMLSchema(etree.parse(path))
    failures, judged = [], 0
    for document in sorted(directory.glob("*.xml")):
        judged += 1
        written = etree.parse(str(document))
        if not schema.validate(written):
            failures.append(f"{document.name}: {schema.error_log.last_error}")
        made = directory.parent / "made" / document.name
        if made.exists() and ".full." in document.name:
            before, after = meaning(etree.parse(str(made)).getroot()), meaning(written.getroot())
            if before != after:
                failures.append(f"{document.name} says something else:\n{before}\n{after}")
    print("\n".join(failures))
    print(f"judged {judged}")
    return 1 if failures or not judged else 0


def main():
    command, xsd, directory, *names = sys.argv[1:]
    directory = pathlib.Path(directory)
    if command == "make":
        make(Schema(xsd), directory, names)
        return 0
    if command == "echo":
        echo(directory)
        return 0
    if command == "bodies":
        bodies(directory, *names)
        return 0
    return judge(xsd, directory)


if __name__ == "__main__":
    sys.exit(main())
