//! What a set of values must satisfy: ranges, resolution, the geometry of curves, and what an
//! enabled function needs.

use std::fmt;

use thiserror::Error;

use super::{Category, Decimal, Kind, Parameter, Value, Values};

/// Which rule a value breaks.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Rule {
    /// The value is not of the parameter's kind.
    OfKind(Kind),
    /// It lies outside what the category allows.
    Range {
        /// Least.
        min: Decimal,
        /// Greatest.
        max: Decimal,
    },
    /// It is finer than IEEE 2030.5 can hold.
    Step(Decimal),
    /// It is no more than another value less a gap.
    AtMost {
        /// Which other one.
        other: Parameter,
        /// The least difference between the two.
        gap: Decimal,
    },
    /// It is no less than another value plus a gap.
    AtLeast {
        /// Which other one.
        other: Parameter,
        /// The least difference between the two.
        gap: Decimal,
    },
    /// It is needed by another one.
    NeededBy(Parameter),
    /// Of two functions only one may be enabled (IEEE 1547-2018, 5.3.1 and 4.10.3).
    Excludes(Parameter),
}

/// A parameter, what it is set to, and the rule that breaks.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Error)]
pub struct Violation {
    /// Which parameter.
    pub parameter: Parameter,
    /// What it is set to; `None` when it is missing.
    pub value: Option<Value>,
    /// What is wrong.
    pub rule: Rule,
}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let unit = self.parameter.kind().unit();
        write!(f, "{}", self.parameter)?;
        if let Some(value) = self.value {
            write!(f, " = {value}")?;
        }
        let clause = self.parameter.clause();
        match self.rule {
            Rule::OfKind(Kind::Switch) => write!(f, ": is ENABLED or DISABLED"),
            Rule::OfKind(Kind::Excitation) => write!(f, ": is INJ or ABS"),
            Rule::OfKind(_) => write!(f, ": is a number"),
            Rule::Range { min, max } => write!(f, ": is {min} to {max} {unit} ({clause})"),
            Rule::Step(step) => write!(f, ": is a multiple of {step} {unit} on the wire"),
            Rule::AtMost { other, gap } if gap == Decimal::ZERO => {
                write!(f, ": is at most {other} ({clause})")
            }
            Rule::AtMost { other, gap } => {
                write!(f, ": is at most {other} less {gap} {unit} ({clause})")
            }
            Rule::AtLeast { other, gap } if gap == Decimal::ZERO => {
                write!(f, ": is at least {other} ({clause})")
            }
            Rule::AtLeast { other, gap } => {
                write!(f, ": is at least {other} plus {gap} {unit} ({clause})")
            }
            Rule::NeededBy(other) => write!(f, ": is needed by {other}"),
            Rule::Excludes(other) => write!(f, ": can't be with {other} ({clause})"),
        }
    }
}

/// What breaks a rule, in the order of parameters; empty when nothing does.
#[must_use]
pub fn violations(category: Category, values: &Values) -> Vec<Violation> {
    let mut found = Found {
        values,
        violations: Vec::new(),
    };
    for (parameter, value) in values {
        found.alone(category, *parameter, *value);
    }
    if found.violations.is_empty() {
        // Geometry compares numbers, so it follows once each is one.
        ORDERS.iter().for_each(|order| found.order(order));
        NEEDS.iter().for_each(|need| found.need(need));
        GROUPS.iter().for_each(|group| found.group(group));
        PAIRS.iter().for_each(|pair| found.pair(pair));
        found.one_reactive_power_function();
        found.one_way_into_service();
    }
    found
        .violations
        .sort_by_key(|violation| violation.parameter);
    found.violations
}

/// The first is at least the second plus thousandths.
struct Order(Parameter, Parameter, i64);

use Parameter as P;

/// Order of the corners of curves. Voltages of volt-var are those at a reference voltage of 1 pu.
const ORDERS: [Order; 32] = [
    Order(P::EsVHigh, P::EsVLow, 0),
    Order(P::EsFHigh, P::EsFLow, 0),
    Order(P::QvCurveV2, P::QvCurveV1, 20),
    Order(P::QvCurveV3, P::QvCurveV2, 0),
    Order(P::QvCurveV4, P::QvCurveV3, 20),
    Order(P::QvCurveQ1, P::QvCurveQ2, 0),
    Order(P::QvCurveQ2, P::QvCurveQ3, 0),
    Order(P::QvCurveQ3, P::QvCurveQ4, 0),
    Order(P::QpCurveP3Gen, P::QpCurveP2Gen, 100),
    Order(P::QpCurveP2Gen, P::QpCurveP1Gen, 100),
    Order(P::QpCurveP1Gen, P::QpCurveP1Load, 0),
    Order(P::QpCurveP1Load, P::QpCurveP2Load, 100),
    Order(P::QpCurveP2Load, P::QpCurveP3Load, 100),
    Order(P::PvCurveV2, P::PvCurveV1, 10),
    Order(P::PvCurveP1, P::PvCurveP2, 0),
    Order(P::Ov2TripV, P::Ov1TripV, 0),
    Order(P::Ov1TripT, P::Ov2TripT, 0),
    Order(P::Ov1TripV, P::Uv1TripV, 0),
    Order(P::Uv1TripV, P::Uv2TripV, 0),
    Order(P::Uv1TripT, P::Uv2TripT, 0),
    Order(P::Of2TripF, P::Of1TripF, 0),
    Order(P::Of1TripT, P::Of2TripT, 0),
    Order(P::Uf1TripF, P::Uf2TripF, 0),
    Order(P::Uf1TripT, P::Uf2TripT, 0),
    Order(P::Ov2MayTripV, P::Ov1MayTripV, 0),
    Order(P::Ov1MayTripT, P::Ov2MayTripT, 0),
    Order(P::Uv1MayTripV, P::Uv2MayTripV, 0),
    Order(P::Uv1MayTripT, P::Uv2MayTripT, 0),
    // What may trip lies inside of what must.
    Order(P::Ov1TripV, P::Ov1MayTripV, 0),
    Order(P::Uv1MayTripV, P::Uv1TripV, 0),
    Order(P::Of1TripF, P::Of1MayTripF, 0),
    Order(P::Uf1MayTripF, P::Uf1TripF, 0),
];

/// A switch that, enabled, needs others.
struct Need(Parameter, &'static [Parameter]);

const NEEDS: [Need; 7] = [
    Need(P::ApLimitEnable, &[P::ApLimit]),
    Need(P::ConstPfModeEnable, &[P::ConstPf, P::ConstPfExcitation]),
    Need(P::ConstQModeEnable, &[P::ConstQ]),
    Need(
        P::QvModeEnable,
        &[
            P::QvCurveV1,
            P::QvCurveQ1,
            P::QvCurveV2,
            P::QvCurveQ2,
            P::QvCurveV3,
            P::QvCurveQ3,
            P::QvCurveV4,
            P::QvCurveQ4,
        ],
    ),
    Need(P::QvVrefAutoMode, &[P::QvVrefTime]),
    Need(
        P::QpModeEnable,
        &[
            P::QpCurveP3Gen,
            P::QpCurveQ3Gen,
            P::QpCurveP2Gen,
            P::QpCurveQ2Gen,
            P::QpCurveP1Gen,
            P::QpCurveQ1Gen,
        ],
    ),
    Need(
        P::PvModeEnable,
        &[P::PvCurveV1, P::PvCurveP1, P::PvCurveV2, P::PvCurveP2],
    ),
];

/// Parameters of one curve or function that has no switch of its own: all of them, or none.
const GROUPS: [&[Parameter]; 11] = [
    &[P::Ov2TripV, P::Ov2TripT, P::Ov1TripV, P::Ov1TripT],
    &[P::Uv1TripV, P::Uv1TripT, P::Uv2TripV, P::Uv2TripT],
    &[P::Of2TripF, P::Of2TripT, P::Of1TripF, P::Of1TripT],
    &[P::Uf1TripF, P::Uf1TripT, P::Uf2TripF, P::Uf2TripT],
    &[P::Ov1MayTripV, P::Ov1MayTripT],
    &[P::Ov2MayTripV, P::Ov2MayTripT],
    &[P::Uv1MayTripV, P::Uv1MayTripT],
    &[P::Uv2MayTripV, P::Uv2MayTripT],
    &[P::Of1MayTripF, P::Of1MayTripT],
    &[P::Uf1MayTripF, P::Uf1MayTripT],
    &[P::PfDbof, P::PfDbuf, P::PfKof, P::PfKuf, P::PfOlrt],
];

/// The second point of a curve needs the first, a threshold the switch that turns it on.
const PAIRS: [(Parameter, Parameter); 5] = [
    (P::Ov2MayTripV, P::Ov1MayTripV),
    (P::Uv2MayTripV, P::Uv1MayTripV),
    (P::McHvrtV1, P::McEnable),
    (P::McLvrtV1, P::McEnable),
    (P::PfModeEnable, P::PfDbof),
];

/// Functions of reactive power, of which IEEE 1547-2018, 5.3.1 allows one at a time.
const REACTIVE: [Parameter; 4] = [
    P::ConstPfModeEnable,
    P::ConstQModeEnable,
    P::QvModeEnable,
    P::QpModeEnable,
];

struct Found<'a> {
    values: &'a Values,
    violations: Vec<Violation>,
}

impl Found<'_> {
    fn add(&mut self, parameter: Parameter, rule: Rule) {
        let value = self.values.get(&parameter).copied();
        self.violations.push(Violation {
            parameter,
            value,
            rule,
        });
    }

    fn alone(&mut self, category: Category, parameter: Parameter, value: Value) {
        let kind = parameter.kind();
        let number = match (kind, value) {
            (Kind::Switch, Value::Enabled(_)) | (Kind::Excitation, Value::Excitation(_)) => return,
            (Kind::Switch | Kind::Excitation, _)
            | (_, Value::Enabled(_) | Value::Excitation(_)) => {
                return self.add(parameter, Rule::OfKind(kind));
            }
            (_, Value::Number(number)) => number,
        };
        let step = parameter.step_micro();
        if number.steps(step).is_none() {
            self.add(parameter, Rule::Step(Decimal::from_micro(step)));
        }
        if let Some((min, max)) = parameter.range(category)
            && !(min..=max).contains(&number)
        {
            self.add(parameter, Rule::Range { min, max });
        }
    }

    fn number(&self, parameter: Parameter) -> Option<Decimal> {
        self.values.get(&parameter).and_then(|value| value.number())
    }

    fn enabled(&self, parameter: Parameter) -> bool {
        self.values.get(&parameter) == Some(&Value::Enabled(true))
    }

    fn order(&mut self, &Order(upper, lower, gap): &Order) {
        let (Some(high), Some(low)) = (self.number(upper), self.number(lower)) else {
            return;
        };
        let gap = Decimal::from_milli(gap);
        if high.micro() < low.micro() + gap.micro() {
            self.add(upper, Rule::AtLeast { other: lower, gap });
            self.add(lower, Rule::AtMost { other: upper, gap });
        }
    }

    /// Reports each missing one of `all` once.
    fn all(&mut self, by: Parameter, all: &[Parameter]) {
        for parameter in all {
            let missing = !self.values.contains_key(parameter);
            if missing && !self.violations.iter().any(|v| v.parameter == *parameter) {
                self.add(*parameter, Rule::NeededBy(by));
            }
        }
    }

    fn need(&mut self, Need(switch, all): &Need) {
        if self.enabled(*switch) {
            self.all(*switch, all);
        }
    }

    fn group(&mut self, group: &[Parameter]) {
        let set = group.iter().find(|each| self.values.contains_key(each));
        if let Some(by) = set {
            self.all(*by, group);
        }
    }

    fn pair(&mut self, &(second, first): &(Parameter, Parameter)) {
        let switched_off = self.values.get(&second) == Some(&Value::Enabled(false));
        if self.values.contains_key(&second) && !switched_off {
            self.all(second, &[first]);
        }
    }

    fn one_reactive_power_function(&mut self) {
        let mut enabled = REACTIVE.into_iter().filter(|each| self.enabled(*each));
        if let (Some(first), Some(second)) = (enabled.next(), enabled.next()) {
            self.add(second, Rule::Excludes(first));
        }
    }

    /// A randomised delay and a ramp are alternatives: IEEE 1547-2018, 4.10.3.
    fn one_way_into_service(&mut self) {
        let set = |parameter| {
            self.number(parameter)
                .is_some_and(|number| Decimal::ZERO < number)
        };
        if set(P::EsRandomizedDelay) && set(P::EsRampRate) {
            self.add(P::EsRandomizedDelay, Rule::Excludes(P::EsRampRate));
        }
    }
}

#[cfg(test)]
mod tests;
