"""Makes every call of the IEC 61968-5 interface with zeep, from the WSDLs the server gives.

Prints one line for each check, and exits with 1 if one fails. Two groups are created, one is
dispatched and stays; the other is deleted again. Every message that comes back is validated by
lxml against the schemas that the server gives.
"""

import argparse
import datetime
import pathlib
import sys
import tempfile
import urllib.parse
import uuid

import requests
import zeep
from lxml import etree
from requests.auth import HTTPBasicAuth

SERVICES = {
    "CreateDERGroups": "/61968-5/create/executeDERGroups",
    "ChangeDERGroups": "/61968-5/change/executeDERGroups",
    "DeleteDERGroups": "/61968-5/change/executeDERGroups",
    "CreateDERGroupDispatches": "/61968-5/create/executeDERGroupDispatches",
    "QueryDERGroups": "/61968-5/get/queryDERGroups",
    "QueryDERGroupStatuses": "/61968-5/get/queryDERGroupStatuses",
}
FUNCTIONS = (
    "connectDisconnect frequencyWattCurveFunction maxRealPowerLimiting rampRateControl "
    "reactivePowerDispatch realPowerDispatch voltageRegulation voltVarCurveFunction "
    "voltWattCurveFunction"
).split()
MAX_BODY_BYTES = 4 * 1024 * 1024
SOAP = "{http://schemas.xmlsoap.org/soap/envelope/}"
XS = "{http://www.w3.org/2001/XMLSchema}"


class Checks:
    """Counts what holds and what does not."""

    def __init__(self):
        self.failed = 0

    def that(self, what, holds, seen=""):
        print(f"ok    {what}" if holds else f"FAIL  {what}: {seen}")
        self.failed += not holds


class Server:
    """A client for each service, over one session."""

    def __init__(self, url, session):
        self.url = url.rstrip("/")
        self.session = session
        self.clients = {}
        self.message_id = None

    def client(self, operation):
        path = SERVICES[operation]
        if path not in self.clients:
            transport = zeep.Transport(session=self.session, timeout=30, operation_timeout=60)
            self.clients[path] = zeep.Client(f"{self.url}{path}?wsdl", transport=transport)
        return self.clients[path]

    def call(self, operation, **content):
        noun = operation.removeprefix("Query").removeprefix("Create")
        noun = noun.removeprefix("Change").removeprefix("Delete")
        verbs = {"Cr": "create", "Ch": "change", "De": "delete", "Qu": "get"}
        self.message_id = str(uuid.uuid4())
        header = {
            "Verb": verbs[operation[:2]],
            "Noun": noun,
            "Timestamp": now(),
            "Source": "zeep",
            "MessageID": self.message_id,
            "CorrelationID": self.message_id,
        }
        return getattr(self.client(operation).service, operation)(Header=header, **content)

    def groups(self, operation, groups):
        return self.call(operation, Payload={"DERGroups": {"EndDeviceGroup": groups}})

    def query(self, operation, groups):
        query = {
            "QueryDERGroups": "DERGroupQueries",
            "QueryDERGroupStatuses": "DERGroupStatusQueries",
        }[operation]
        return self.call(operation, Request={query: {"EndDeviceGroup": groups}})

    def dispatch(self, group, watts, start, interval_s, **changes):
        points = [
            {"intervalNumber": number, "nominalYValue": value}
            for number, value in enumerate(watts, 1)
        ]
        schedule = {
            "curveStyleKind": changes.get("style", "constantYValue"),
            "startTime": start,
            "timeIntervalDuration": interval_s,
            "timeIntervalUnit": "s",
            "DERCurveData": points,
        }
        parameter = {
            "DERParameter": changes.get("parameter", "activePower"),
            "yMultiplier": "none",
            "yUnit": changes.get("unit", "W"),
            "DispatchSchedule": [schedule],
        }
        dispatch = {"EndDeviceGroup": {"DERMonitorableParameter": parameter} | group}
        payload = {"DERGroupDispatches": {"DERGroupDispatch": [dispatch]}}
        return self.call("CreateDERGroupDispatches", Payload=payload)


class Schemas:
    """The schemas of the server by namespace, fetched from where its WSDLs and they themselves say."""

    def __init__(self, session, url, folder):
        self.session, self.folder = session, pathlib.Path(folder)
        self.files = {}
        for path in set(SERVICES.values()):
            self.fetch(f"{url.rstrip('/')}{path}?wsdl", "wsdl")
        self.compiled = {
            namespace: etree.XMLSchema(etree.parse(self.folder / name))
            for name, namespace in self.files.items()
            if name.endswith("Message.xsd")
        }

    def fetch(self, url, name):
        if name in self.files:
            return
        reply = self.session.get(url, timeout=30)
        reply.raise_for_status()
        root = etree.fromstring(reply.content)
        if name != "wsdl":
            self.files[name] = root.get("targetNamespace")
            (self.folder / name).write_bytes(reply.content)
        for part in root.iter(XS + "import", XS + "include"):
            location = urllib.parse.urljoin(url, part.get("schemaLocation"))
            self.fetch(location, location.rsplit("/", 1)[1])

    def faults(self, reply):
        """What is wrong with the message in a SOAP envelope; None if it carries no message."""
        body = etree.fromstring(reply).find(SOAP + "Body")
        message = body.find(f"{SOAP}Fault/detail/*")
        if message is None and body.find(SOAP + "Fault") is None:
            message = body[0]
        if message is None:
            return None
        schema = self.compiled.get(etree.QName(message).namespace)
        if schema is None:
            return f"no schema for {message.tag}"
        return "" if schema.validate(message) else str(schema.error_log)


def now():
    return datetime.datetime.now(datetime.timezone.utc).replace(microsecond=0)


def named(name):
    return {"Names": [{"name": name}]}


def outcome(answer):
    """Result, then code and identifier of each error."""
    errors = answer.Reply.Error or []
    identified = [(e.code, e.ID["_value_1"] if e.ID is not None else None) for e in errors]
    return answer.Reply.Result, identified


def main_groups(checks, server, names, members):
    functions = {name: name == "realPowerDispatch" for name in FUNCTIONS}
    groups = [
        named(name) | {"DERFunction": functions, "EndDevices": [{"mRID": m} for m in ids]}
        for name, ids in zip(names, members)
    ]
    answer = server.groups("CreateDERGroups", groups)
    checks.that("two groups in one message", outcome(answer) == ("OK", [("0.0", None)]), outcome(answer))
    header = answer.Header
    echoed = (header.Verb, header.Noun, header.CorrelationID)
    expected = ("reply", "DERGroups", server.message_id)
    checks.that("reply header", echoed == expected, echoed)
    created = answer.Payload.DERGroups.EndDeviceGroup
    shown = [(g.Names[0].name, [d.mRID for d in g.EndDevices]) for g in created]
    expected = [(name, sorted(ids)) for name, ids in zip(names, members)]
    checks.that(
        "created groups are shown whole",
        [(name, sorted(ids)) for name, ids in shown] == expected,
        shown,
    )
    mrids = [g.mRID for g in created]
    checks.that("mRIDs are assigned", all(mrids) and len(set(mrids)) == 2, mrids)
    again = server.groups("CreateDERGroups", [groups[0] | {"mRID": mrids[0]}])
    expected = ("FAILED", [("6.1", mrids[0])])
    checks.that("a taken mRID is refused", outcome(again) == expected, outcome(again))
    stranger = groups[0] | {"EndDevices": [{"mRID": "no-such-der"}]} | named("stranger")
    refused = server.groups("CreateDERGroups", [stranger])
    expected = ("FAILED", [("99.2", "stranger")])
    checks.that("an unknown member is refused", outcome(refused) == expected, outcome(refused))
    bare = server.groups("CreateDERGroups", [named("bare")])
    expected = ("FAILED", [("5.8", "bare")])
    checks.that("a group needs DERFunction", outcome(bare) == expected, outcome(bare))
    return mrids


def queries(checks, server, names, mrids):
    def found(answer):
        return sorted(g.mRID for g in answer.Payload.DERGroups.EndDeviceGroup)

    one = server.query("QueryDERGroups", [{"mRID": mrids[0]}])
    checks.that("query by mRID", found(one) == [mrids[0]], found(one))
    both = server.query("QueryDERGroups", [named(name) for name in names])
    checks.that("query by name", found(both) == sorted(mrids), found(both))
    everything = server.query("QueryDERGroups", [{}])
    checks.that("query for all", set(mrids) <= set(found(everything)), found(everything))
    some = server.query("QueryDERGroups", [{"mRID": mrids[1]}, named("nobody")])
    expected = ("PARTIAL", [("99.1", "nobody")])
    checks.that("a missing group is named", outcome(some) == expected, outcome(some))
    error = some.Reply.Error[0]
    told = (error.level, bool(error.reason))
    checks.that("with level and reason", told == ("FATAL", True), told)
    checks.that("beside those found", found(some) == [mrids[1]], found(some))


def statuses(checks, server, mrids):
    answer = server.query("QueryDERGroupStatuses", [{"mRID": mrid} for mrid in mrids])
    checks.that("statuses", answer.Reply.Result == "OK", outcome(answer))
    for group in answer.Payload.DERGroupStatuses.EndDeviceGroup:
        parameters = {p.DERParameter: p for p in group.DERMonitorableParameter}
        power = parameters.get("activePower")
        told = power is not None and power.yUnit == "W" and power.yMultiplier == "none"
        checks.that(f"status of {group.mRID} tells active power", told, parameters.keys())
        rating = power is not None and power.yUnitInstalledMax is not None
        checks.that("with what is installed", rating, power)
        dated = power is not None and power.DERCurveData.timeStamp is not None
        checks.that("and when", dated, power)
    missing = server.query("QueryDERGroupStatuses", [named("nobody")])
    expected = ("FAILED", [("99.1", "nobody")])
    checks.that("status of a missing group", outcome(missing) == expected, outcome(missing))


def dispatches(checks, server, mrids, options):
    start = now() + datetime.timedelta(seconds=options.start_in)
    asked = (start, options.interval)
    group = {"mRID": mrids[0]}
    if options.short_watts:
        short = server.dispatch(group, [options.short_watts], *asked)
        codes = [code for code, _ in outcome(short)[1]]
        refused = short.Reply.Result == "FAILED" and codes == ["99.4"]
        checks.that("too much power is refused", refused, outcome(short))
        details = short.Reply.Error[0].details or ""
        checks.that("with how much is short", "short by" in details, details)
    cases = [
        ("an unknown group", named("nobody"), {}, "99.1"),
        ("reactive power", group, {"parameter": "reactivePower", "unit": "VAr"}, "99.3"),
        ("a slope", group, {"style": "straightLineYValues"}, "99.3"),
        ("a wrong unit", group, {"unit": "Hz"}, "1.8"),
    ]
    for what, which, changes, code in cases:
        answer = server.dispatch(which, [1.0, 2.0], *asked, **changes)
        seen = (answer.Reply.Result, answer.Reply.Error[0].code)
        checks.that(f"dispatch with {what} is refused", seen == ("FAILED", code), outcome(answer))
    answer = server.dispatch(group, options.watts, *asked)
    checks.that("dispatch", outcome(answer) == ("OK", [("0.0", None)]), outcome(answer))
    if answer.Payload is not None:
        echo = answer.Payload.DERGroupDispatches.DERGroupDispatch[0]
        checks.that("a dispatch gets an mRID", bool(echo.mRID), echo)
        schedule = echo.EndDeviceGroup.DERMonitorableParameter.DispatchSchedule[0]
        values = [p.nominalYValue for p in schedule.DERCurveData]
        checks.that("and is shown whole", values == options.watts, values)
        checks.that("at its start", schedule.startTime == start, schedule.startTime)


def change_and_delete(checks, server, names, mrids, members):
    added = {"EndDevices": [{"mRID": members[0][0]}]}
    answer = server.groups("ChangeDERGroups", [named(names[1]) | added])
    group = answer.Payload.DERGroups.EndDeviceGroup[0]
    ids = sorted(d.mRID for d in group.EndDevices)
    checks.that("change adds a member", ids == sorted({*members[1], members[0][0]}), ids)
    version = (group.version.major, group.version.minor)
    checks.that("and raises the version", version == (1, 1), version)
    renamed = {"mRID": mrids[1]} | named(f"{names[1]}-renamed")
    answer = server.groups("ChangeDERGroups", [renamed])
    name = answer.Payload.DERGroups.EndDeviceGroup[0].Names[0].name
    checks.that("change renames", name == f"{names[1]}-renamed", name)
    busy = server.groups("DeleteDERGroups", [{"mRID": mrids[0]}])
    expected = ("FAILED", [("6.1", mrids[0])])
    checks.that("a dispatched group stays", outcome(busy) == expected, outcome(busy))
    gone = server.groups("DeleteDERGroups", [{"mRID": mrids[1]}])
    checks.that("delete", outcome(gone) == ("OK", [("0.0", None)]), outcome(gone))
    again = server.groups("DeleteDERGroups", [{"mRID": mrids[1]}])
    expected = ("FAILED", [("99.1", mrids[1])])
    checks.that("a deleted group is gone", outcome(again) == expected, outcome(again))


def bad_input(checks, server, options):
    url = server.url + SERVICES["QueryDERGroups"]
    headers = {"Content-Type": "text/xml; charset=utf-8"}

    def post(body, headers=headers, session=server.session):
        return session.post(url, data=body, headers=headers, timeout=60)

    def is_fault(response):
        try:
            root = etree.fromstring(response.content)
        except etree.XMLSyntaxError:
            return False
        return root.find("{*}Body/{*}Fault/faultstring") is not None

    deep = b"<a>" * 100 + b"</a>" * 100
    cases = [
        ("malformed", b"<a><b></a>", 400),
        ("truncated", b"<a><b>", 400),
        ("entity", b"<!DOCTYPE a [<!ENTITY b 'c'>]><a>&b;</a>", 400),
        ("deep", deep, 400),
        ("foreign", b"<a/>", 500),
        ("oversized", b"<a>" + b" " * MAX_BODY_BYTES + b"</a>", 413),
    ]
    for what, body, status in cases:
        response = post(body)
        seen = (response.status_code, is_fault(response))
        checks.that(f"{what} body is answered with {status} and a fault", seen == (status, True), seen)
    response = post(b"{}", {"Content-Type": "application/json"})
    checks.that("JSON is answered with 415", response.status_code == 415, response.status_code)
    client = server.client("QueryDERGroups")
    message = client.create_message(client.service, "QueryDERGroups", Header={"Verb": "get", "Noun": "x"})
    verb = message.find(".//{*}Verb")
    verb.getparent().remove(verb)
    response = post(etree.tostring(message))
    reply = etree.fromstring(response.content).find(
        "{*}Body/{*}Fault/detail/{*}DERGroupQueriesFaultMessage/{*}Reply"
    )
    code = None if reply is None else reply.findtext("{*}Error/{*}code")
    checks.that("an unreadable header gets a fault message", code == "1.5", response.content)
    if options.user:
        stranger = session_of(options)
        response = post(b"<a/>", session=stranger)
        checks.that("without credentials: 401", response.status_code == 401, response.status_code)
        stranger.auth = HTTPBasicAuth(options.user, "wrong")
        response = post(b"<a/>", session=stranger)
        checks.that("wrong password: 401", response.status_code == 401, response.status_code)


def validity(checks, server, options, replies):
    with tempfile.TemporaryDirectory() as folder:
        schemas = Schemas(server.session, options.url, folder)
        judged = [(schemas.faults(reply), reply) for reply in replies]
    wrong = [(faults, reply) for faults, reply in judged if faults]
    messages = sum(faults is not None for faults, _ in judged)
    checks.that(f"{messages} messages are valid by the server's schemas", not wrong, wrong[:1])
    checks.that("there were messages to validate", 20 <= messages, messages)


def session_of(options):
    session = requests.Session()
    # Else REQUESTS_CA_BUNDLE, where it is set, would go before --ca.
    session.trust_env = False
    session.verify = options.ca or True
    return session


def arguments():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--url", required=True, help="origin of the server")
    parser.add_argument("--user")
    parser.add_argument("--password")
    parser.add_argument("--ca", help="PEM of the server's certificate authority")
    parser.add_argument("--cert", help="client certificate, PEM")
    parser.add_argument("--key", help="client key, PEM")
    parser.add_argument("--members", nargs=2, required=True, metavar="MRID,MRID")
    parser.add_argument("--names", nargs=2, default=["zeep-east", "zeep-west"])
    parser.add_argument("--start-in", type=int, default=3_600, help="seconds from now")
    parser.add_argument("--interval", type=int, default=900, help="seconds")
    parser.add_argument("--watts", type=float, nargs="+", default=[1_000.0, 1_500.0, 500.0])
    parser.add_argument("--short-watts", type=float, help="more than the first group can give")
    return parser.parse_args()


def main():
    options = arguments()
    session = session_of(options)
    if options.cert:
        session.cert = (options.cert, options.key)
    if options.user:
        session.auth = HTTPBasicAuth(options.user, options.password)
    checks, server = Checks(), Server(options.url, session)
    replies = []

    def keep(response, *_, **__):
        if response.request.method == "POST":
            replies.append(response.content)

    session.hooks["response"].append(keep)
    for operation, path in SERVICES.items():
        service = server.client(operation).service
        address = service._binding_options["address"]
        checks.that(f"WSDL of {operation}", address == f"{server.url}{path}", address)
    members = [ids.split(",") for ids in options.members]
    mrids = main_groups(checks, server, options.names, members)
    queries(checks, server, options.names, mrids)
    statuses(checks, server, mrids)
    dispatches(checks, server, mrids, options)
    change_and_delete(checks, server, options.names, mrids, members)
    bad_input(checks, server, options)
    session.hooks["response"].remove(keep)
    validity(checks, server, options, replies)
    print(f"{checks.failed} failed")
    return 1 if checks.failed else 0


if __name__ == "__main__":
    sys.exit(main())
