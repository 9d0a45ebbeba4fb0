"""Does on a wattfold server, through its REST API, what cactus-client's procedures ask of an operator.

The server's API, its user and password come from the environment: WATTFOLD_API, WATTFOLD_USER,
WATTFOLD_PASSWORD.
"""

import asyncio
import os
from datetime import UTC, datetime, timedelta

import aiohttp
from cactus_client.admin import hookimpl
from cactus_client.model.execution import ActionResult
from cactus_client.sep2 import lfdi_from_cert_file
from cactus_test_definitions.server.test_procedures import ClientType

# A control that is to be active begins now and lasts this long unless the procedure says how long.
ACTIVE_S = 300
# Scheduled ones follow one another, the first after this lead.
SCHEDULED_LEAD_S = 20
SCHEDULED_S = 30
# Longest wait for notifications that are on their way.
DELIVERED_WITHIN_S = 5

SETTINGS = {
    "opModExpLimW": "exp_lim_w",
    "opModImpLimW": "imp_lim_w",
    "opModGenLimW": "gen_lim_w",
    "opModLoadLimW": "load_lim_w",
    "opModConnect": "connect",
    "opModEnergize": "energize",
}
POLL_RATES = {
    "DeviceCapability": "device_capability_s",
    "EndDeviceList": "end_device_list_s",
    "FunctionSetAssignmentsList": "function_set_assignments_list_s",
    "DERProgramList": "der_program_list_s",
    "DERList": "der_list_s",
    "MirrorUsagePointList": "mirror_usage_point_list_s",
}


class Operator:
    """What one run has set up so far, and the way to the server."""

    def __init__(self):
        self.api = os.environ["WATTFOLD_API"]
        self.auth = aiohttp.BasicAuth(os.environ["WATTFOLD_USER"], os.environ["WATTFOLD_PASSWORD"])
        self.assignments = {}
        self.scheduled_until = None

    async def ask(self, method, path, body=None):
        async with aiohttp.ClientSession(auth=self.auth) as session:
            async with session.request(method, self.api + path, json=body) as answer:
                text = await answer.text()
                if answer.status >= 300:
                    raise RuntimeError(f"{method} {path} {body}: {answer.status} {text}")
                return await answer.json() if text else None

    async def der(self, client):
        found = await self.ask("GET", f"/ders?filter={client.lfdi}")
        return found["items"][0] if found["items"] else None

    async def aggregator(self, client):
        lfdi = lfdi_from_cert_file(client.certificate_file)
        known = (await self.ask("GET", "/aggregators"))["items"]
        return next((one for one in known if one["lfdi"] == lfdi), None)

    async def enrol_aggregators(self, clients):
        for client in clients:
            if client.type == ClientType.AGGREGATOR and await self.aggregator(client) is None:
                new = {
                    "name": f"aggregator {client.id}",
                    "lfdi": lfdi_from_cert_file(client.certificate_file),
                    "registration": "out_of_band",
                    "may_enrol": True,
                }
                await self.ask("POST", "/aggregators", new)

    async def enrol(self, client, registration):
        new = {
            "name": client.id,
            "kind": "pv",
            "lfdi": client.lfdi,
            "pin": client.pin,
            "registration": registration,
        }
        if client.type == ClientType.AGGREGATOR:
            new["aggregator"] = (await self.aggregator(client))["id"]
        return await self.ask("POST", "/ders", new)

    async def program(self, client, primacy):
        """The programme of this primacy that addresses the client's DER; its own without one."""
        der = await self.der(client)
        if primacy is None:
            return der["program"]
        listed = (await self.ask("GET", f"/programs?der={der['mrid']}"))["items"]
        return next(one["mrid"] for one in listed if one["primacy"] == primacy)

    def interval(self, asked):
        """When a control begins, none for at once, and how long it holds."""
        if asked["status"] == "active":
            return None, asked.get("duration_seconds", ACTIVE_S)
        now = datetime.now(tz=UTC).replace(microsecond=0)
        duration_s = asked.get("duration_seconds", SCHEDULED_S)
        offset_s = asked.get("start_offset_seconds")
        if offset_s is not None:
            return now + timedelta(seconds=offset_s), duration_s
        start = max(self.scheduled_until or now, now + timedelta(seconds=SCHEDULED_LEAD_S))
        self.scheduled_until = start + timedelta(seconds=duration_s)
        return start, duration_s

    async def delivered(self):
        """Waits until no notification is on its way, unless its listener does not answer."""
        metrics = self.api.removesuffix("/api/v1") + "/metrics"
        for _ in range(DELIVERED_WITHIN_S * 5):
            await asyncio.sleep(0.2)
            async with aiohttp.ClientSession(auth=self.auth) as session:
                async with session.get(metrics) as answer:
                    if "wattfold_notifications_waiting 0\n" in await answer.text():
                        return


async def ensure_end_device(operator, client, asked):
    der = await operator.der(client)
    if asked["registered"]:
        if der is None:
            await operator.enrol(client, "out_of_band")
        return
    if der is not None:
        await operator.ask("DELETE", f"/ders/{der['mrid']}")
    if client.type == ClientType.DEVICE:
        await operator.enrol(client, "in_band")


async def ensure_mup_list_empty(operator, client, _):
    der = await operator.der(client)
    await operator.ask("DELETE", f"/ders/{der['mrid']}/usage_points")


async def ensure_fsa(operator, client, asked):
    """Without a rank of its own: a place in the topology, which the one assignment for it shows."""
    der = await operator.der(client)
    level = "feeder" if asked.get("primacy") is None else "non_topology"
    new = await operator.ask("POST", "/assignments", {"name": asked["annotation"], "level": level})
    operator.assignments[asked["annotation"]] = new
    nodes = [one["mrid"] for one in operator.assignments.values()]
    await operator.ask("PUT", f"/ders/{der['mrid']}/assignments", {"assignments": nodes})


async def ensure_der_program(operator, client, asked):
    """The programme that every DER has of its own belongs to its place in the topology."""
    node = operator.assignments[asked["fsa_annotation"]]
    if asked.get("primacy") is None:
        own = (await operator.der(client))["program"]
        await operator.ask("PATCH", f"/programs/{own}", {"name": f"at {node['name']}"})
        return
    new = {
        "name": f"at {node['name']}",
        "primacy": asked["primacy"],
        "scope": {"assignment": node["mrid"]},
    }
    await operator.ask("POST", "/programs", new)


async def ensure_der_control_list(operator, client, _):
    await operator.ask("GET", f"/programs/{await operator.program(client, None)}/controls")


async def create_der_control(operator, client, asked):
    start, duration_s = operator.interval(asked)
    base = {ours: asked[theirs] for theirs, ours in SETTINGS.items() if theirs in asked}
    if "opModFixedW" in asked:
        base["fixed_w_pct"] = asked["opModFixedW"] / 100
    if "rampTms" in asked:
        base["ramp_s"] = asked["rampTms"] / 100
    new = {
        "start": start and start.isoformat(),
        "duration_s": duration_s,
        "base": base,
        "terms": {"randomize_start_s": asked.get("randomizeStart_seconds", 0)},
    }
    program = await operator.program(client, asked.get("primacy"))
    await operator.ask("POST", f"/programs/{program}/controls", new)


async def create_default_der_control(operator, client, asked):
    default = {
        "base": {ours: asked[theirs] for theirs, ours in SETTINGS.items() if theirs in asked}
    }
    if "setGradW" in asked:
        default["grad_pct_per_s"] = asked["setGradW"] / 100
    program = await operator.program(client, asked.get("primacy"))
    await operator.ask("PUT", f"/programs/{program}/default_control", default)


async def clear_der_controls(operator, client, asked):
    program = await operator.program(client, None)
    if asked.get("all"):
        await operator.ask("POST", f"/programs/{program}/controls/cancel")
        return
    listed = (await operator.ask("GET", f"/programs/{program}/controls"))["items"]
    live = [one for one in listed if one["status"] in ("scheduled", "active")]
    if live:
        latest = max(live, key=lambda one: one["created_at"])
        await operator.ask("POST", f"/controls/{latest['mrid']}/cancel")


async def set_poll_rate(operator, _, asked):
    await operator.ask("PATCH", "/rates", {POLL_RATES[asked["resource"]]: asked["rate_seconds"]})


async def set_post_rate(operator, _, asked):
    assert asked["resource"] == "MirrorUsagePoint", asked
    await operator.ask("PATCH", "/rates", {"post_rate_s": asked["rate_seconds"]})


async def set_client_access(operator, client, asked):
    if client.type == ClientType.AGGREGATOR:
        path = f"/aggregators/{(await operator.aggregator(client))['id']}/access"
    else:
        path = f"/ders/{(await operator.der(client))['mrid']}/access"
    await operator.ask("PUT", path, {"granted": asked["granted"]})


VERBS = {
    "ensure-end-device": ensure_end_device,
    "ensure-mup-list-empty": ensure_mup_list_empty,
    "ensure-fsa": ensure_fsa,
    "ensure-der-program": ensure_der_program,
    "ensure-der-control-list": ensure_der_control_list,
    "create-der-control": create_der_control,
    "create-default-der-control": create_default_der_control,
    "clear-der-controls": clear_der_controls,
    "set-poll-rate": set_poll_rate,
    "set-post-rate": set_post_rate,
    "set-client-access": set_client_access,
}
OPERATOR = Operator()


@hookimpl
async def admin_setup(context):
    await OPERATOR.enrol_aggregators(context.client_configs.values())
    return ActionResult.done()


@hookimpl
async def admin_instruction(instruction, step, context):
    client = context.client_config_for(instruction.client)
    await VERBS[instruction.type](OPERATOR, client, instruction.parameters)
    await OPERATOR.delivered()
    return ActionResult.done()
