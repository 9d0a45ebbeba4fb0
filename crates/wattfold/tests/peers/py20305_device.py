"""Runs py20305, another team's IEEE 2030.5 client, and writes down what it does.

    py20305_device.py CONFIG FOLDER

Into FOLDER go `exchanges.jsonl`, each exchange of its connection and each notification that it took,
as aiohttp saw them, and `applied.jsonl`, each command that it gave to its device. The device is
py20305's own demonstration device, set up as a photovoltaic inverter that does what it is told, but
for what `device.json` in FOLDER says: its alarms, and which commands it refuses and why.
"""

import json
import sys
from pathlib import Path
from urllib.parse import urlsplit

import aiohttp
from py20305.cli import main
from py20305.connectors import control_errors
from py20305.connectors.print_demo import PrintDemoConnector
from py20305.subscription.notification_server import NotificationServer

RATED_W = 10_000
IDLE_W = 6_000
# Every mode of 2018 that a generator has, and none of storage.
MODES = 0x07FFFFFC

REFUSALS = {
    "opt_out": control_errors.OptOutError,
    "not_supported": control_errors.ModeNotSupportedError,
    "not_configured": control_errors.DeviceNotConfiguredError,
    "invalid": control_errors.InvalidControlValueError,
}


class Inverter(PrintDemoConnector):
    """Ten kilowatts of photovoltaics: gives 6 kW until a control asks for something else."""

    connector_name = "Inverter"
    folder = Path()

    def __init__(self):
        super().__init__()
        self.power_w = IDLE_W

    def _record(self, method, params):
        super()._record(method, params)
        refusal = self.behaviour().get("refuses", {}).get(method)
        with open(self.folder / "applied.jsonl", "a", encoding="utf-8") as applied:
            line = {"method": method, "params": params, "refused": refusal}
            applied.write(json.dumps(line) + "\n")
        if refusal:
            raise REFUSALS[refusal](f"{method} is refused")

    def behaviour(self):
        path = self.folder / "device.json"
        return json.loads(path.read_text(encoding="utf-8")) if path.exists() else {}

    async def fetch_monitoring(self):
        return await super().fetch_monitoring() | {"W": self.power_w, "VA": self.power_w}

    def reading_overrides(self):
        return None

    async def fetch_nameplate(self):
        told = await super().fetch_nameplate()
        return generator(told) | {"WMaxRtg": RATED_W, "CtrlModes": MODES}

    async def fetch_configuration(self):
        told = await super().fetch_configuration()
        return generator(told) | {"WMax": RATED_W, "CtrlModes": MODES}

    async def fetch_status(self):
        told = await super().fetch_status()
        alarms = self.behaviour().get("alarms", 0)
        return told | {
            "alarmStatus": alarms,
            "connectStatus": told["connectStatus"] | {"value": 7},
        }

    async def update_fixed_w(self, params):
        told = await super().update_fixed_w(params)
        enabled = params.get("WSetEna") == 1
        self.power_w = RATED_W * params["WSet"] / 100 if enabled else IDLE_W
        return told

    async def update_target_w(self, params):
        told = await super().update_target_w(params)
        self.power_w = params["watts"] if params.get("mode_enable") == 1 else IDLE_W
        return told


def generator(told):
    """Without what only storage has."""
    return {key: value for key, value in told.items() if "ChaRte" not in key and "Wh" not in key}


def record(path):
    transcript = open(path, "a", encoding="utf-8", buffering=1)
    exchange = aiohttp.ClientSession._request
    notified = NotificationServer._handle_notify

    async def recorded(session, method, url, **kwargs):
        reply = await exchange(session, method, url, **kwargs)
        body = await reply.read()
        sent = kwargs.get("data") or b""
        line = {
            "method": method,
            "path": urlsplit(str(url))._replace(scheme="", netloc="").geturl(),
            "status": reply.status,
            "content_type": reply.headers.get("Content-Type"),
            "sent": sent.decode() if isinstance(sent, bytes) else sent,
            "received": body.decode(),
        }
        transcript.write(json.dumps(line) + "\n")
        return reply

    async def taken(server, request):
        body = await request.read()
        reply = await notified(server, request)
        line = {
            "method": "NOTIFY",
            "path": request.path,
            "status": reply.status,
            "content_type": request.headers.get("Content-Type"),
            "sent": "",
            "received": body.decode(),
        }
        transcript.write(json.dumps(line) + "\n")
        return reply

    aiohttp.ClientSession._request = recorded
    NotificationServer._handle_notify = taken


if __name__ == "__main__":
    config, folder = sys.argv[1:]
    # The configuration names the device by this module, wherever it was started from.
    sys.modules["py20305_device"] = sys.modules["__main__"]
    Inverter.folder = Path(folder)
    record(Inverter.folder / "exchanges.jsonl")
    sys.exit(main(["--config", config]))
