"""Loads every WSDL below a directory with zeep and writes the requests zeep would send.

Arguments: the schema directory and a directory for the requests, one file for each operation.
Prints one line for each operation.
"""

import datetime
import pathlib
import sys

import zeep

FUNCTIONS = {
    name: name == "realPowerDispatch"
    for name in (
        "connectDisconnect frequencyWattCurveFunction maxRealPowerLimiting rampRateControl "
        "reactivePowerDispatch realPowerDispatch voltageRegulation voltVarCurveFunction "
        "voltWattCurveFunction"
    ).split()
}
START = datetime.datetime(2027, 1, 15, 9, 0, tzinfo=datetime.timezone.utc)


def arguments(operation):
    noun = operation.removeprefix("Query").removeprefix("Create")
    noun = noun.removeprefix("Change").removeprefix("Delete")
    verbs = {"Cr": "create", "Ch": "change", "De": "delete", "Qu": "get"}
    header = {"Verb": verbs[operation[:2]], "Noun": noun, "MessageID": operation}
    names = [{"name": "east"}]
    if operation.startswith("Query"):
        query = {"DERGroups": "DERGroupQueries", "DERGroupStatuses": "DERGroupStatusQueries"}[noun]
        return {"Header": header, "Request": {query: {"EndDeviceGroup": [{"Names": names}, {}]}}}
    if noun == "DERGroups":
        devices = [{"mRID": "der-1"}, {"Names": [{"name": "pv2"}]}]
        group = {"Names": names}
        if operation != "DeleteDERGroups":
            group |= {"DERFunction": FUNCTIONS, "EndDevices": devices}
        return {"Header": header, "Payload": {noun: {"EndDeviceGroup": [group]}}}
    points = [{"intervalNumber": n, "nominalYValue": y} for n, y in ((1, 6.0), (2, 9.5))]
    schedule = {
        "curveStyleKind": "constantYValue",
        "startTime": START,
        "timeIntervalDuration": 15,
        "timeIntervalUnit": "m",
        "DERCurveData": points,
    }
    parameter = {
        "DERParameter": "activePower",
        "yMultiplier": "k",
        "yUnit": "W",
        "DispatchSchedule": [schedule],
    }
    dispatch = {"EndDeviceGroup": {"DERMonitorableParameter": parameter, "Names": names}}
    return {"Header": header, "Payload": {noun: {"DERGroupDispatch": [dispatch]}}}


def main(schema, out):
    for wsdl in sorted(pathlib.Path(schema).glob("*/*.wsdl")):
        client = zeep.Client(str(wsdl))
        for service in client.wsdl.services.values():
            for port in service.ports.values():
                for operation in port.binding._operations:
                    proxy = client.bind(service.name, port.name)
                    message = client.create_message(proxy, operation, **arguments(operation))
                    text = zeep.wsdl.utils.etree_to_string(message)
                    pathlib.Path(out, f"{operation}.xml").write_bytes(text)
                    print(f"{wsdl.parent.name}/{wsdl.name}: {operation}")


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2])
