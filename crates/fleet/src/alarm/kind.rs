//! The rationalised alarms (ANSI/ISA-18.2-2016, clause 9): each kind once, with its cause, its
//! consequence, what the operator does and in what time, and how it is kept from chattering.

use std::time::Duration;

/// Which alarm.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Kind {
    /// A shared limit is exceeded by what meters read.
    LimitExceeded,
    /// No plan of a dispatch keeps the shared limits.
    PlanImpossible,
    /// Most DER of a place fell silent together.
    PlaceSilent,
    /// A running dispatch does not deliver its target.
    DispatchShort,
    /// A microgrid is off the grid without a permit, or has no supply.
    MicrogridIslanded,
    /// A strategy has not made a dispatch that was due.
    StrategyFailed,
    /// More alarms than are kept.
    AlarmsOverflow,
    /// The clock of the server was set back.
    ClockBehind,
    /// Readings of devices are refused.
    ReadingsRefused,
    /// A shared limit would be exceeded if silent DER did their worst.
    LimitAtRisk,
    /// A strategy can't tell whether a dispatch is wanted.
    StrategyBlind,
    /// A DER does not do what it accepted to do.
    DerNotFollowing,
    /// A DER is not heard.
    DerSilent,
    /// The clock of a DER is ahead.
    DerClockAhead,
}

/// How urgent an alarm is.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Priority {
    /// To be dealt with first.
    High,
    /// To be dealt with next.
    Medium,
    /// To be dealt with when the others are.
    Low,
}

/// How bad it is if nobody does anything.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Consequence {
    /// One device delivers less, or less is known.
    Minor,
    /// A commitment is missed, or much is not known.
    Major,
    /// Equipment of the network is overloaded.
    Severe,
}

/// How long a condition must last.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Delay {
    /// So long.
    For(Duration),
    /// The longest time until the DER asks the server, and so much more: the DER of one place fall
    /// silent one after the other within it.
    PollAnd(Duration),
}

/// What is known of an alarm before it ever occurs.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Rationale {
    /// Which alarm.
    pub kind: Kind,
    /// Its name in the API.
    pub name: &'static str,
    /// What brings it about.
    pub cause: &'static str,
    /// What follows if nobody acts.
    pub consequence: &'static str,
    /// How bad that is.
    pub severity: Consequence,
    /// What the operator does.
    pub action: &'static str,
    /// The time in which that still helps.
    pub respond_within: Duration,
    /// How urgent it is, which follows from how bad it is and how long there is.
    pub priority: Priority,
    /// How long the condition lasts before the alarm is raised.
    pub on_delay: Delay,
    /// How long the condition is gone before the alarm returns to normal.
    pub off_delay: Duration,
    /// By how much what raised it must be undercut for the condition to be gone.
    pub deadband: &'static str,
}

impl Priority {
    /// Every priority, the most urgent first.
    pub const ALL: [Self; 3] = [Self::High, Self::Medium, Self::Low];

    /// Of alarms annunciated, the share in percent that should have this priority
    /// (ANSI/ISA-18.2-2016, clause 16, table of the distribution for three priorities).
    #[must_use]
    pub const fn target_pct(self) -> u8 {
        match self {
            Self::High => 5,
            Self::Medium => 15,
            Self::Low => 80,
        }
    }

    /// What follows from how bad it is and the time in which the action still helps: at once (below
    /// five minutes), promptly (up to half an hour) or soon.
    #[must_use]
    pub const fn of(severity: Consequence, respond_within: Duration) -> Self {
        let minutes = respond_within.as_secs() / 60;
        match severity {
            Consequence::Severe if minutes <= 30 => Self::High,
            Consequence::Major if minutes < 5 => Self::High,
            Consequence::Severe => Self::Medium,
            Consequence::Major if minutes <= 30 => Self::Medium,
            Consequence::Minor if minutes < 5 => Self::Medium,
            Consequence::Major | Consequence::Minor => Self::Low,
        }
    }
}

const fn minutes(count: u64) -> Duration {
    Duration::from_secs(60 * count)
}

/// The table, the most urgent first.
static TABLE: [Rationale; 14] = [
    Rationale {
        kind: Kind::LimitExceeded,
        name: "limit_exceeded",
        cause: "What the meters of the DER under a shared limit read adds up to more than it \
                allows.",
        consequence: "The feeder or transformer behind the limit is overloaded, and its \
                      protection may trip.",
        severity: Consequence::Severe,
        action: "Look at the dispatches and controls that act on these DER; cancel what loads the \
                 limit, or issue a control of higher rank that curtails them.",
        respond_within: minutes(10),
        priority: Priority::High,
        on_delay: Delay::For(minutes(1)),
        off_delay: minutes(5),
        deadband: "2 % of the limit below it",
    },
    Rationale {
        kind: Kind::PlanImpossible,
        name: "plan_impossible",
        cause: "A dispatch no longer fits, and no other plan of its members keeps the shared \
                limits, mostly because silent members count at their worst.",
        consequence: "The plan in force goes on, and a limit is not kept for sure.",
        severity: Consequence::Major,
        action: "Read in the log which limit it is; have it measured, curtail others below it, or \
                 cancel the dispatch and tell who counts on it.",
        respond_within: minutes(15),
        priority: Priority::Medium,
        on_delay: Delay::For(minutes(1)),
        off_delay: minutes(1),
        deadband: "none: a plan is possible or it is not",
    },
    Rationale {
        kind: Kind::PlaceSilent,
        name: "place_silent",
        cause: "Most DER of a feeder, another node of the hierarchy, or an aggregator fell silent \
                within one polling interval: its communication or its supply is lost.",
        consequence: "None of them can be dispatched, and against limits they count at their \
                      worst.",
        severity: Consequence::Major,
        action: "Ask the network's control room whether the place has supply, and the carrier or \
                 the aggregator for its line; hold replacement for dispatches ready.",
        respond_within: minutes(30),
        priority: Priority::Medium,
        on_delay: Delay::PollAnd(minutes(1)),
        off_delay: minutes(1),
        deadband: "raised at 80 % of the DER silent, gone below 20 %",
    },
    Rationale {
        kind: Kind::DispatchShort,
        name: "dispatch_short",
        cause: "The sum of the meters of a running dispatch is further from its target than its \
                members' tolerances together, after the ramp.",
        consequence: "What was promised is not delivered, and may have to be paid for.",
        severity: Consequence::Major,
        action: "See in the dispatch who does not deliver and why; add members or another \
                 dispatch, or tell who counts on it.",
        respond_within: minutes(15),
        priority: Priority::Medium,
        on_delay: Delay::For(minutes(5)),
        off_delay: minutes(2),
        deadband: "a fifth of the tolerance",
    },
    Rationale {
        kind: Kind::MicrogridIslanded,
        name: "microgrid_islanded",
        cause: "A microgrid has left the grid without a permit or stays away beyond it, or it has \
                no supply.",
        consequence: "None of its members can be dispatched, others do their part, and the loads \
                      in it depend on what its stores and generators hold.",
        severity: Consequence::Major,
        action: "Ask the microgrid controller, or whoever runs it, why it left and how long it \
                 lasts; when the grid is sound at its connection point, grant a permit to \
                 reconnect.",
        respond_within: minutes(15),
        priority: Priority::Medium,
        on_delay: Delay::For(Duration::ZERO),
        off_delay: minutes(1),
        deadband: "none: its state is what was reported",
    },
    Rationale {
        kind: Kind::StrategyFailed,
        name: "strategy_failed",
        cause: "A dispatch of a strategy was due and was refused, or its time had passed: the \
                server was down, or the dispatch before it was not over.",
        consequence: "Nobody is asked for what the strategy is there for.",
        severity: Consequence::Major,
        action: "Read in the occurrences of the strategy why; make the dispatch by hand if it is \
                 still wanted, and change group, aim or times of the strategy.",
        respond_within: minutes(30),
        priority: Priority::Medium,
        on_delay: Delay::For(Duration::ZERO),
        off_delay: minutes(1),
        deadband: "none: gone with the next dispatch, or when the strategy is changed",
    },
    Rationale {
        kind: Kind::AlarmsOverflow,
        name: "alarms_overflow",
        cause: "As many alarms are open as are kept.",
        consequence: "Further alarms displace those of lower priority, and without any are not raised until \
                      some are over.",
        severity: Consequence::Major,
        action: "Look for the cause that most of them share; suppress what is known, acknowledge \
                 what is over.",
        respond_within: minutes(30),
        priority: Priority::Medium,
        on_delay: Delay::For(Duration::ZERO),
        off_delay: minutes(1),
        deadband: "a tenth of the places",
    },
    Rationale {
        kind: Kind::ClockBehind,
        name: "clock_behind",
        cause: "The clock of the server stands before the latest instant at which something was \
                decided: it was set back.",
        consequence: "Decisions are stamped with that latest instant until the clock has caught \
                      up; devices are told the time of the clock.",
        severity: Consequence::Major,
        action: "Check the server's time source and correct its clock.",
        respond_within: minutes(30),
        priority: Priority::Medium,
        on_delay: Delay::For(Duration::ZERO),
        off_delay: minutes(1),
        deadband: "raised beyond two seconds, gone below one",
    },
    Rationale {
        kind: Kind::ReadingsRefused,
        name: "readings_refused",
        cause: "Readings of devices come faster than they can be written, or the medium of \
                telemetry fails.",
        consequence: "Devices keep what they can and post it later; what is beyond that is lost, \
                      and dispatches are judged by older readings.",
        severity: Consequence::Minor,
        action: "Look at the disk of the data directory and at the devices that post most; raise \
                 their posting interval.",
        respond_within: minutes(60),
        priority: Priority::Low,
        on_delay: Delay::For(Duration::ZERO),
        off_delay: minutes(5),
        deadband: "none: readings are refused or they are not",
    },
    Rationale {
        kind: Kind::LimitAtRisk,
        name: "limit_at_risk",
        cause: "A shared limit would be exceeded if the silent DER under it did the worst that \
                they can.",
        consequence: "The limit can't be vouched for; planning keeps others back for them.",
        severity: Consequence::Major,
        action: "Have the load of the feeder measured at its head; restore communication, or keep \
                 other DER below it.",
        respond_within: minutes(60),
        priority: Priority::Low,
        on_delay: Delay::For(minutes(5)),
        off_delay: minutes(5),
        deadband: "2 % of the limit below it",
    },
    Rationale {
        kind: Kind::StrategyBlind,
        name: "strategy_blind",
        cause: "What a strategy watches can't be told to be above its level or not: DER are not \
                heard whose power decides it, or there is no such limit or group.",
        consequence: "It makes no dispatch until it can be told.",
        severity: Consequence::Major,
        action: "Restore communication with the DER that it watches; look at the load elsewhere \
                 meanwhile, and dispatch by hand if it is too high.",
        respond_within: minutes(60),
        priority: Priority::Low,
        on_delay: Delay::For(minutes(5)),
        off_delay: minutes(5),
        deadband: "none: it can be told or it can't",
    },
    Rationale {
        kind: Kind::DerNotFollowing,
        name: "der_not_following",
        cause: "A DER has accepted a control, and its meter shows that it does something else.",
        consequence: "It is left out of the dispatch, and others do its part.",
        severity: Consequence::Minor,
        action: "Compare settings and meter of the DER; have its owner or installer look at it.",
        respond_within: minutes(24 * 60),
        priority: Priority::Low,
        on_delay: Delay::For(Duration::ZERO),
        off_delay: minutes(5),
        deadband: "none: it is left out for the rest of the dispatch",
    },
    Rationale {
        kind: Kind::DerSilent,
        name: "der_silent",
        cause: "A DER has made no request for the time after which it is not counted on and one \
                polling interval more, and its neighbours have.",
        consequence: "It can't be dispatched, and against limits it counts at its worst.",
        severity: Consequence::Minor,
        action: "Have its owner check power and network of the device; replace its communication \
                 module.",
        respond_within: minutes(24 * 60),
        priority: Priority::Low,
        on_delay: Delay::PollAnd(minutes(1)),
        off_delay: minutes(1),
        deadband: "none: it is heard or it is not",
    },
    Rationale {
        kind: Kind::DerClockAhead,
        name: "der_clock_ahead",
        cause: "A DER stamps its readings with a time that has not come: its clock is wrong.",
        consequence: "It may begin and end controls at the wrong time, and its readings are \
                      judged wrongly.",
        severity: Consequence::Minor,
        action: "Have the time source of the device checked.",
        respond_within: minutes(24 * 60),
        priority: Priority::Low,
        on_delay: Delay::For(minutes(5)),
        off_delay: minutes(5),
        deadband: "raised beyond one minute, gone below thirty seconds",
    },
];

impl Kind {
    /// Its row in the table.
    #[must_use]
    pub fn rationale(self) -> &'static Rationale {
        let row = TABLE.iter().find(|row| row.kind == self);
        row.expect("the table has a row for each kind")
    }

    /// The kind of this name.
    #[must_use]
    pub fn of(name: &str) -> Option<Self> {
        let row = TABLE.iter().find(|row| row.name == name);
        row.map(|row| row.kind)
    }

    /// The table, the most urgent first.
    #[must_use]
    pub fn table() -> &'static [Rationale] {
        &TABLE
    }
}
