"""Runs py20305, another team's IEEE 2030.5 client, and writes down what goes over its connection.

    py20305_device.py CONFIG TRANSCRIPT

Each exchange becomes a line of JSON in TRANSCRIPT, as aiohttp saw it. The device behind the client
is py20305's own demonstration device, set up as a photovoltaic inverter that does what it is told.
"""

import json
import sys
from urllib.parse import urlsplit

import aiohttp
from py20305.cli import main
from py20305.connectors.print_demo import PrintDemoConnector

FIXED_W = 1 << 7
MAX_LIM_W = 1 << 20
RATED_W = 10_000
IDLE_W = 6_000


class Inverter(PrintDemoConnector):
    """Ten kilowatts of photovoltaics: gives 6 kW until a control asks for something else."""

    connector_name = "Inverter"

    def __init__(self):
        super().__init__()
        self.power_w = IDLE_W

    async def fetch_monitoring(self):
        return await super().fetch_monitoring() | {"W": self.power_w, "VA": self.power_w}

    def reading_overrides(self):
        return None

    async def fetch_nameplate(self):
        told = await super().fetch_nameplate()
        return generator(told) | {"WMaxRtg": RATED_W, "CtrlModes": FIXED_W | MAX_LIM_W}

    async def fetch_configuration(self):
        told = await super().fetch_configuration()
        return generator(told) | {"WMax": RATED_W, "CtrlModes": FIXED_W | MAX_LIM_W}

    async def fetch_status(self):
        told = await super().fetch_status()
        return told | {"alarmStatus": 0, "connectStatus": told["connectStatus"] | {"value": 7}}

    async def update_fixed_w(self, params):
        told = await super().update_fixed_w(params)
        enabled = params.get("WSetEna") == 1
        self.power_w = RATED_W * params["WSet"] / 100 if enabled else IDLE_W
        return told


def generator(told):
    """Without what only storage has."""
    return {key: value for key, value in told.items() if "ChaRte" not in key and "Wh" not in key}


def record(path):
    transcript = open(path, "a", encoding="utf-8", buffering=1)
    exchange = aiohttp.ClientSession._request

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

    aiohttp.ClientSession._request = recorded


if __name__ == "__main__":
    # The configuration names the device by this module, wherever it was started from.
    sys.modules["py20305_device"] = sys.modules["__main__"]
    record(sys.argv[2])
    sys.exit(main(["--config", sys.argv[1]]))
