"""Makes instances of schema types, and judges documents and our tables by the schema.

    schema.py extend SCHEMAS OUT       writes to OUT the schemas of CSIP-AUS over each edition
    schema.py make XSD DIR TYPE...     writes DIR/TYPE.full.xml (everything, at its largest, out of order),
                                       DIR/TYPE.plain.xml (everything, at its smallest, in order) and
                                       DIR/TYPE.minimal.xml (only what must be there)
    schema.py break XSD DIR TYPE...    writes DIR/TYPE.broken: full instances, in each of which one value
                                       is not of its type, as lines "what <TAB> document"
    schema.py echo XSD DIR             has py20305 read DIR/*.xml with its own types and write DIR/../echoed
    schema.py envoy XSD DIR            the same with the types of envoy_schema, where it has them
    schema.py bodies XSD DIR LFDI      writes to DIR what py20305's demonstration device sends
    schema.py judge XSD DIR            validates DIR/*.xml; where DIR/../made has a document of the same
                                       name, both must say the same
    schema.py tables XSD FILE          compares FILE, our tables, with the schema, row by row
"""

import asyncio
import json
import pathlib
import random
import re
import sys

from lxml import etree

XS = "{http://www.w3.org/2001/XMLSchema}"
XSI = "{http://www.w3.org/2001/XMLSchema-instance}"
NS = "urn:ieee:std:2030.5:ns"
CSIP_AUS_12 = "https://csipaus.org/ns"
CSIP_AUS_13_BETA = "https://csipaus.org/ns/v1.3-beta/storage"
CSIP_AUS_13 = "https://csipaus.org/ns/v1.3"
BUILT_IN = {
    "anyURI": ("/a?b&c", "/"),
    "boolean": ("true", "false"),
    "unsignedByte": (str(2**8 - 1), "0"),
    "unsignedShort": (str(2**16 - 1), "0"),
    "unsignedInt": (str(2**32 - 1), "0"),
    "unsignedLong": (str(2**64 - 1), "0"),
    "byte": (str(-(2**7)), "0"),
    "short": (str(-(2**15)), "0"),
    "int": (str(-(2**31)), "0"),
    "long": (str(2**63 - 1), "0"),
}
LOWEST = {"byte": 7, "short": 15, "int": 31, "long": 63}
HIGHEST = {"unsignedByte": 8, "unsignedShort": 16, "unsignedInt": 32, "unsignedLong": 64}


class Schema:
    """The types of a schema and of those that it redefines or imports, by namespace and name."""

    def __init__(self, path):
        self.types, self.elements, self.extended, self.loaded = {}, {}, {}, set()
        self.random = random.Random(20305)
        self.load(pathlib.Path(path))

    def load(self, path):
        if path in self.loaded:
            return
        self.loaded.add(path)
        root = etree.parse(str(path)).getroot()
        space = root.get("targetNamespace")
        for part in root:
            if part.tag in (XS + "complexType", XS + "simpleType"):
                self.types[space, part.get("name")] = part
            elif part.tag == XS + "element":
                self.elements[space, part.get("name")] = part
            elif part.tag == XS + "redefine":
                for changed in part.iter(XS + "complexType"):
                    self.extended[space, changed.get("name")] = changed
            if part.tag in (XS + "redefine", XS + "import"):
                self.load(path.parent / part.get("schemaLocation"))

    def name(self, node, attribute):
        """The namespace and name in an attribute of `node`."""
        text = node.get(attribute)
        prefix, _, local = text.rpartition(":")
        return node.nsmap.get(prefix or None), local

    def definition(self, name):
        return self.types.get(name)

    def base(self, name):
        """What a simple type is derived from, or None at the types of XML Schema."""
        definition = self.types.get(name)
        if definition is None:
            return None
        for step in ("extension", "restriction"):
            found = definition.find(f".//{XS}{step}")
            if found is not None:
                return self.name(found, "base")
        return None

    def is_simple(self, name):
        """Whether an instance has text and no elements."""
        definition = self.types.get(name)
        if definition is None or definition.tag == XS + "simpleType":
            return True
        if definition.find(f"{XS}simpleContent") is not None:
            return True
        extension = definition.find(f"{XS}complexContent/{XS}extension")
        return extension is not None and self.is_simple(self.name(extension, "base"))

    def facets(self, name):
        """The type of XML Schema that `name` restricts, and how."""
        facets = {}
        while name in self.types:
            if name[1] == "UInt40":
                # The schema repeats the bound of UInt48 here; the name says which one is meant.
                facets["maxInclusive"] = str(2**40 - 1)
            restriction = self.types[name].find(f".//{XS}restriction")
            for facet in restriction if restriction is not None else ():
                facets.setdefault(facet.tag.removeprefix(XS), facet.get("value"))
            name = self.base(name)
        return name[1], facets

    def value(self, name, full):
        if name[1] == "HexBinary160":
            # An LFDI is always its twenty octets, although the schema only bounds it.
            return "0F" * 20
        built_in, facets = self.facets(name)
        if built_in == "hexBinary":
            return "0F" * int(facets["maxLength"]) if full else "0A"
        if built_in == "string":
            text = "<&>\"' \u00e4\u20ac"
            return (text * 40)[: int(facets.get("maxLength", 100))] if full else ""
        bound = "minInclusive" if "minInclusive" in facets else "maxInclusive"
        return facets.get(bound, BUILT_IN[built_in][0]) if full else BUILT_IN[built_in][1]

    def wrong_values(self, name):
        built_in, facets = self.facets(name)
        if name[1] == "HexBinary160":
            return ["0F" * 19, "0F" * 21, "0G" * 20, ""]
        if built_in == "hexBinary":
            return ["0F" * int(facets["maxLength"]) + "0", "0G", "0x1", ""]
        if built_in == "string":
            return ["x" * (int(facets["maxLength"]) + 1)] if "maxLength" in facets else []
        if built_in == "boolean":
            return ["yes", "", "2", "TRUE"]
        if built_in in HIGHEST:
            highest = int(facets.get("maxInclusive", 2 ** HIGHEST[built_in] - 1))
            return ["-1", str(highest + 1), "1.5", "", "0x1", "1e1"]
        if built_in in LOWEST:
            lowest = int(facets.get("minInclusive", -(2 ** LOWEST[built_in])))
            highest = int(facets.get("maxInclusive", 2 ** LOWEST[built_in] - 1))
            return [str(lowest - 1), str(highest + 1), "1.5", "", "NaN"]
        assert built_in == "anyURI", built_in
        return ["a b"]

    def attribute(self, node):
        return node.get("name"), self.name(node, "type"), node.get("use") == "required"

    def element(self, node, space):
        least, most = node.get("minOccurs", "1"), node.get("maxOccurs", "1")
        most = 65535 if most == "unbounded" else int(most)
        if node.get("ref"):
            name = self.name(node, "ref")
            declared = self.elements[name]
            return name, self.name(declared, "type"), int(least), most
        return (space, node.get("name")), self.name(node, "type"), int(least), most

    def own_parts(self, definition, space):
        attributes = [self.attribute(node) for node in definition.iter(XS + "attribute")]
        nodes = [
            node
            for node in definition.iter(XS + "element")
            if not (node.get("name") or "").endswith("_r2_3")
        ]
        return attributes, [self.element(node, space) for node in nodes]

    def parts(self, name):
        """Attributes and elements in the order of the schema, those of the base type first.

        Left out is the element of every type of 2023 that is there for later revisions to fill.
        """
        definition = self.types[name]
        attributes, elements = [], []
        extension = definition.find(f".//{XS}extension")
        if extension is not None and self.name(extension, "base") in self.types:
            attributes, elements = self.parts(self.name(extension, "base"))
        layers = [definition]
        if name in self.extended:
            layers.append(self.extended[name])
        for layer in layers:
            more_attributes, more_elements = self.own_parts(layer, name[0])
            attributes = attributes + more_attributes
            elements = elements + more_elements
        return attributes, elements

    def root_type(self, name):
        """The name of the element, and of its type, that a document is called."""
        space = NS
        if name.startswith("csipaus:"):
            name = name.removeprefix("csipaus:")
            space = next(s for s, local in self.elements if local == name and s != NS)
        declared = self.elements.get((space, name))
        if declared is not None and declared.get("type"):
            return (space, name), self.name(declared, "type")
        return (space, name), (space, name)

    def fill(self, parent, name, full, leaves=None, large=None):
        large = full if large is None else large
        if self.is_simple(name):
            parent.text = self.value(name, large)
            if leaves is not None:
                leaves.append((parent, None, name))
            while name in self.types:
                self.set_attributes(parent, self.own_parts(self.types[name], name[0])[0], full, leaves, large)
                name = self.base(name)
            return
        attributes, elements = self.parts(name)
        self.set_attributes(parent, attributes, full, leaves, large)
        children = []
        for element, kind, least, most in elements:
            if not full and least == 0:
                continue
            for _ in range(min(most, 2) if full else 1):
                child = etree.Element(f"{{{element[0]}}}{element[1]}")
                self.fill(child, kind, full, leaves, large)
                children.append(child)
        if large:
            self.random.shuffle(children)
        parent.extend(children)

    def set_attributes(self, node, attributes, full, leaves, large):
        for attribute, kind, required in attributes:
            if full or required:
                node.set(attribute, self.value(kind, large))
                if leaves is not None:
                    leaves.append((node, attribute, kind))

    def instance(self, name, full, leaves=None, large=None):
        element, kind = self.root_type(name)
        root = etree.Element(f"{{{element[0]}}}{element[1]}", nsmap={"any": NS})
        self.fill(root, kind, full, leaves, large)
        return root


def make(schema, directory, names):
    for name in names:
        for kind in ("full", "plain", "minimal"):
            root = schema.instance(name, kind != "minimal", large=kind == "full")
            if kind == "plain":
                make_sense(root)
            path = directory / f"{name.rpartition(':')[2]}.{kind}.xml"
            etree.ElementTree(root).write(str(path), encoding="utf-8", xml_declaration=True)


def make_sense(root):
    """Gives values that receivers who know their meaning accept."""
    for node in root.iter():
        sensible = PLAIN.get(etree.QName(node).localname, "x" if node.text == "" else None)
        if sensible and not len(node):
            node.text = sensible


PLAIN = {"status": "1", "quality": "7", "notificationURI": "https://example.com/b"}


def break_values(schema, directory, names):
    for name in names:
        leaves, lines = [], []
        root = schema.instance(name, True, leaves)
        if name.endswith("List"):
            # Members have their own turn.
            del root[:]
            leaves = [leaf for leaf in leaves if leaf[0] is root]
        for node, attribute, kind in leaves:
            right = node.get(attribute) if attribute else node.text
            for wrong in schema.wrong_values(kind):
                what = f"{etree.QName(node).localname}@{attribute or ''} = {wrong!r} ({kind[1]})"
                if attribute:
                    node.set(attribute, wrong)
                else:
                    node.text = wrong
                lines.append(f"{what}\t{etree.tostring(root).decode()}\n")
            if attribute:
                node.set(attribute, right)
            else:
                node.text = right
        path = directory / f"{name.rpartition(':')[2]}.broken"
        path.write_text("".join(lines), encoding="utf-8")


def extend(schemas, out):
    """CSIP-AUS over each edition.

    The packages have 1.2, and of 1.3 a draft without pricing, over the edition of 2018.
    """
    pricing_elements = """
      <xs:element name="CombinedTimeTariffIntervalListLink" type="bs:ListLink"/>
      <xs:element name="ConsumptionTariffIntervalListSummary" type="Summary"/>
      <xs:complexType name="Summary"><xs:complexContent>
        <xs:extension base="bs:ConsumptionTariffIntervalList"/>
      </xs:complexContent></xs:complexType>
    </xs:schema>"""
    added = {
        "TariffProfile": '<xs:sequence><xs:element ref="csipaus:CombinedTimeTariffIntervalListLink"/></xs:sequence>',
        "TimeTariffInterval": '<xs:sequence><xs:element ref="csipaus:ConsumptionTariffIntervalListSummary"/>'
        '<xs:element name="RateComponentLink" type="RateComponentLink"/></xs:sequence>',
        "TimeTariffIntervalList": '<xs:attribute name="pollRate" type="UInt32"/>',
        "RateComponentList": '<xs:attribute name="subscribable" type="SubscribableType"/>',
    }
    pricing_types = "".join(
        f'<xs:complexType name="{name}"><xs:complexContent><xs:extension base="{name}">{more}'
        "</xs:extension></xs:complexContent></xs:complexType>"
        for name, more in added.items()
    )
    for edition in ("2018", "2023"):
        target = out / edition
        target.mkdir(parents=True, exist_ok=True)
        base = (schemas / f"sep2_schema_{edition}.xsd").read_text(encoding="utf-8")
        # What any extension may add would make what this one adds ambiguous.
        base = re.sub(r'<xs:any namespace="##other"[^>]*/>', "", base)
        (target / "sep2_schema_2018.xsd").write_text(base, encoding="utf-8")
        for part in ("core", "ext"):
            text = (schemas / f"csipaus-{part}.xsd").read_text(encoding="utf-8")
            (target / f"csipaus-{part}.xsd").write_text(text, encoding="utf-8")
            text = (schemas / f"csipaus-{part}-v1.3-beta_storage.xsd").read_text(encoding="utf-8")
            text = text.replace(CSIP_AUS_13_BETA, CSIP_AUS_13)
            text = text.replace("v1.3-beta_storage.xsd", "v1.3.xsd")
            if part == "ext":
                text = text.replace("</xs:schema>", pricing_elements)
            else:
                text = text.replace("</xs:redefine>", pricing_types + "</xs:redefine>")
            (target / f"csipaus-{part}-v1.3.xsd").write_text(text, encoding="utf-8")


def echo(directory, compat):
    """Another team's client reads every document and says it again."""
    import py20305.models.sep as models
    from py20305.xml.serialization import from_xml, to_xml

    types = {name.lower(): getattr(models, name) for name in dir(models)}
    echoed = directory.parent / "echoed"
    echoed.mkdir(exist_ok=True)
    for document in sorted(directory.glob("*.xml")):
        body = document.read_bytes()
        name = etree.QName(etree.fromstring(body)).localname.lower()
        if name in types:
            value = from_xml(body, types[name])
            (echoed / document.name).write_bytes(to_xml(value, server_2018_compat=compat))


def envoy(directory):
    """The reference server of the Australian programme reads what it knows and says it again."""
    import importlib

    known = {}
    for name in ENVOY_MODULES:
        module = importlib.import_module(f"envoy_schema.server.schema.{name}")
        for kind in vars(module).values():
            if isinstance(kind, type) and kind.__module__ == module.__name__:
                tag = getattr(kind, "__xml_tag__", None) or kind.__name__
                known.setdefault(tag, []).append(kind)
    echoed = directory.parent / "echoed"
    echoed.mkdir(exist_ok=True)
    for document in sorted(directory.glob("*.xml")):
        body = document.read_bytes()
        for kind in known.get(etree.QName(etree.fromstring(body)).localname, []):
            if hasattr(kind, "from_xml"):
                value = kind.from_xml(body)
                said = value.to_xml(exclude_none=True, encoding="utf-8")
                (echoed / f"{kind.__name__}.{document.name}").write_bytes(said)


ENVOY_MODULES = (
    "csip_aus.connection_point",
    "sep2.der",
    "sep2.device_capability",
    "sep2.end_device",
    "sep2.error",
    "sep2.function_set_assignments",
    "sep2.log_events",
    "sep2.metering",
    "sep2.metering_mirror",
    "sep2.pricing",
    "sep2.pub_sub",
    "sep2.response",
    "sep2.time",
)


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
    attributes = sorted(item for item in element.attrib.items() if item != ("disabled", "false"))
    return element.tag, attributes, text, children


def judge(path, directory):
    schema = etree.XMLSchema(etree.parse(path))
    failures, judged = [], 0
    for document in sorted(directory.glob("*.xml")):
        judged += 1
        written = etree.parse(str(document))
        if not schema.validate(written):
            failures.append(f"{document.name}: {schema.error_log.last_error}")
        made = directory.parent / "made" / document.name
        if made.exists():
            before, after = meaning(etree.parse(str(made)).getroot()), meaning(written.getroot())
            if before != after:
                failures.append(f"{document.name} says something else:\n{before}\n{after}")
    print("\n".join(failures))
    print(f"judged {judged}")
    return 1 if failures or not judged else 0


# The schema of 2018 declares an element for every type. These are bases of others, of which nobody
# exchanges an instance, and two lists that only ever stand inside another resource.
KNOWN_ABSENT = {
    "AbstractDevice",
    "BillingMeterReadingBase",
    "ConsumptionTariffIntervalListSummary",
    "Event",
    "FunctionSetAssignmentsBase",
    "IdentifiedObject",
    "List",
    "MeterReadingBase",
    "MirrorReadingSet",
    "RandomizableEvent",
    "ReadingBase",
    "ReadingSetBase",
    "RespondableIdentifiedObject",
    "RespondableResource",
    "RespondableSubscribableIdentifiedObject",
    "SubscribableIdentifiedObject",
    "SubscribableList",
    "SubscribableResource",
    "SubscriptionBase",
    "UsagePointBase",
}


def named(name):
    return name[1] if name[0] == NS else f"csipaus:{name[1]}"


def tables(schema, path):
    """Every document of the schema has a table, and every table is as the schema says."""
    ours = json.loads(path.read_text(encoding="utf-8"))
    documents = {
        named(name)
        for name, node in schema.elements.items()
        if is_resource(schema, node, name) and name[1] not in KNOWN_ABSENT
    }
    have = {table["name"] for table in ours if table["document"]}
    failures = [f"no document {name}" for name in sorted(documents - have)]
    failures += [f"document {name} is not in the schema" for name in sorted(have - documents)]
    for table in ours:
        _, kind = schema.root_type(table["name"])
        attributes, elements = schema.parts(kind)
        if not kind[1].endswith("DeltaControlType"):
            # An attribute of how a control mode is asked for, not of the mode's own type.
            attributes = [row for row in attributes if row[0] != "disabled"]
        expected = [[name, 1 if required else 0, 1] for name, _, required in attributes]
        if sorted(expected) != sorted(table["attributes"]):
            failures.append(f"{kind[1]} attributes:\n  {expected}\n  {table['attributes']}")
        expected = [[named(name), least, most] for name, _, least, most in elements]
        if expected != table["elements"]:
            missing = [row for row in expected if row not in table["elements"]]
            surplus = [row for row in table["elements"] if row not in expected]
            failures.append(f"{kind[1]}: missing {missing}, surplus {surplus}, or another order")
    print("\n".join(failures))
    print(f"compared {len(ours)} tables, {len(have)} documents")
    return 1 if failures else 0


def is_resource(schema, node, name):
    """Whether the global element has the base type of all resources, or is the one of refusals."""
    kind = schema.name(node, "type") if node.get("type") else name
    while kind in schema.types:
        if kind in ((NS, "Resource"), (NS, "Error")):
            return True
        kind = schema.base(kind) or ("", "")
    return False


def main():
    command, xsd, directory, *names = sys.argv[1:]
    path = pathlib.Path(directory)
    if command == "extend":
        extend(pathlib.Path(xsd), path)
    elif command == "make":
        make(Schema(xsd), path, names)
    elif command == "break":
        break_values(Schema(xsd), path, names)
    elif command == "echo":
        echo(path, "2018" in names or not names)
    elif command == "envoy":
        envoy(path)
    elif command == "bodies":
        bodies(path, *names)
    elif command == "tables":
        return tables(Schema(xsd), path)
    else:
        return judge(xsd, path)
    return 0


if __name__ == "__main__":
    sys.exit(main())
