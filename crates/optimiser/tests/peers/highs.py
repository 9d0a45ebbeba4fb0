"""Solves the linear programme of a problem with HiGHS and prints what it finds as JSON.

usage: highs.py PROBLEM.json [METHOD]

The file holds the fields of `optimiser::horizon::Problem` by name. The programme is written here
from the equations of docs/optimiser.md, with injected and absorbed power as variables of their own.
With a key "only", a list of constraints, the others are left out and costs play no part.
"""

import json
import sys
import time

import highspy
import numpy as np

INF = highspy.kHighsInf


class Programme:
    def __init__(self):
        self.cost, self.lower, self.upper = [], [], []
        self.row_lower, self.row_upper = [], []
        self.start, self.index, self.value = [0], [], []

    def variable(self, cost, lower, upper):
        self.cost.append(cost)
        self.lower.append(lower)
        self.upper.append(upper)
        return len(self.cost) - 1

    def row(self, lower, upper, terms):
        self.row_lower.append(lower)
        self.row_upper.append(upper)
        for column, value in terms:
            self.index.append(column)
            self.value.append(value)
        self.start.append(len(self.index))

    def model(self):
        lp = highspy.HighsLp()
        lp.num_col_, lp.num_row_ = len(self.cost), len(self.row_lower)
        lp.col_cost_ = np.array(self.cost)
        lp.col_lower_, lp.col_upper_ = np.array(self.lower), np.array(self.upper)
        lp.row_lower_, lp.row_upper_ = np.array(self.row_lower), np.array(self.row_upper)
        lp.a_matrix_.format_ = highspy.MatrixFormat.kRowwise
        lp.a_matrix_.start_ = np.array(self.start)
        lp.a_matrix_.index_ = np.array(self.index)
        lp.a_matrix_.value_ = np.array(self.value)
        return lp


def bound(number):
    return INF if number is None else number


def power_range(problem, unit, t):
    if not unit["present_from"] <= t < unit["present_until"]:
        return 0.0, 0.0
    lo, hi = unit["lo_w"], unit["hi_w"]
    if unit["shape"] is not None:
        shape = problem["shapes"][unit["shape"]]
        lo, hi = lo * shape["lo"][t], hi * shape["hi"][t]
    if unit["commitment"] is not None:
        lo, hi = min(lo, 0.0), max(hi, 0.0)
    return lo, hi


def floor(problem, store, t, unused):
    least = min(store["reserve_wh"], unused)
    return least


def write(problem):
    only = problem.get("only")
    keep = (lambda *key: True) if only is None else (lambda *key: list(key) in only)
    hours = [s / 3600.0 for s in problem["interval_s"]]
    count = len(hours)
    lp = Programme()
    costs = 0.0 if only is not None else 1.0
    power = []
    for i, unit in enumerate(problem["units"]):
        columns = []
        for t in range(count):
            lo, hi = power_range(problem, unit, t)
            price = problem["price_per_wh"][t]
            inject, absorb = unit["inject_per_wh"], unit["absorb_per_wh"]
            if unit["tariff"] is not None:
                tariff = problem["tariffs"][unit["tariff"]]
                inject += tariff["inject_per_wh"][t]
                absorb += tariff["absorb_per_wh"][t]
            ranges = [max(lo, 0.0), max(hi, 0.0), max(-hi, 0.0), max(-lo, 0.0)]
            if not keep("ranges"):
                ranges = [0.0, INF, 0.0, INF]
            d = lp.variable(costs * (inject - price) * hours[t], ranges[0], ranges[1])
            c = lp.variable(costs * (absorb + price) * hours[t], ranges[2], ranges[3])
            columns.append((d, c))
            preferred = unit["preferred"]
            if preferred is not None and lo <= preferred["p_w"] <= hi:
                away = lp.variable(costs * preferred["deviation_per_wh"] * hours[t], 0.0, INF)
                lp.row(preferred["p_w"], INF, [(d, 1.0), (c, -1.0), (away, 1.0)])
                lp.row(-INF, preferred["p_w"], [(d, 1.0), (c, -1.0), (away, -1.0)])
        power.append(columns)
        ramp = unit["ramp"]
        if ramp is not None and keep("ramp", i):
            step = ramp["max_step_w"]
            d, c = columns[0]
            lp.row(ramp["from_w"] - step, ramp["from_w"] + step, [(d, 1.0), (c, -1.0)])
            for (d0, c0), (d1, c1) in zip(columns, columns[1:]):
                lp.row(-step, step, [(d1, 1.0), (c1, -1.0), (d0, -1.0), (c0, 1.0)])
        store = unit["store"]
        if store is not None:
            unused = store["energy_wh"]
            before = None
            for t, (d, c) in enumerate(columns):
                kept = np.exp(-store["loss_per_h"] * hours[t])
                unused *= kept
                least, most = -INF, INF
                if keep("store", i):
                    least, most = floor(problem, store, t, unused), store["capacity_wh"]
                if keep("deadline", i):
                    deadline = store["deadline"]
                    if deadline is not None and deadline["interval"] == t:
                        least = max(least, deadline["min_wh"])
                    if t + 1 == count:
                        least = max(least, store["end_min_wh"])
                if only is not None and least > most:
                    lp.row(1.0, 2.0, [])
                    least = -INF
                e = lp.variable(0.0, least, most)
                terms = [
                    (e, 1.0),
                    (d, hours[t] / store["discharge_efficiency"]),
                    (c, -hours[t] * store["charge_efficiency"]),
                ]
                given = kept * store["energy_wh"] if before is None else 0.0
                if before is not None:
                    terms.append((before, -kept))
                lp.row(given, given, terms)
                before = e
    for r, limit in enumerate(problem["limits"]):
        for t, most in enumerate(limit["at_most_w"]):
            if most is not None and keep("limit", r, t):
                terms = []
                for unit, factor in limit["terms"]:
                    d, c = power[unit][t]
                    terms += [(d, factor), (c, -factor)]
                lp.row(-INF, most, terms)
    for t, (sense, p_w) in enumerate(problem["targets"]):
        if sense == "free" or not keep("target", t):
            continue
        terms = [term for unit in power for term in ((unit[t][0], 1.0), (unit[t][1], -1.0))]
        lower = p_w if sense in ("exact", "at_least") else -INF
        upper = p_w if sense in ("exact", "at_most") else INF
        lp.row(lower, upper, terms)
    return lp


def main():
    with open(sys.argv[1]) as file:
        problem = json.load(file)
    written = write(problem)
    solver = highspy.Highs()
    solver.setOptionValue("output_flag", False)
    solver.setOptionValue("threads", 1)
    if len(sys.argv) > 2:
        solver.setOptionValue("solver", sys.argv[2])
        solver.setOptionValue("run_crossover", "off")
    else:
        solver.setOptionValue("primal_feasibility_tolerance", 1e-9)
        solver.setOptionValue("dual_feasibility_tolerance", 1e-9)
    solver.passModel(written.model())
    begun = time.process_time()
    solver.run()
    seconds = time.process_time() - begun
    status = solver.getModelStatus()
    print(json.dumps({
        "status": solver.modelStatusToString(status),
        "objective": solver.getInfo().objective_function_value,
        "seconds": seconds,
    }))


main()
