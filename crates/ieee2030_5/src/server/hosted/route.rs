//! The function sets that carry no dispatch, as a table: what lies where, what of it is
//! active and what devices may send there.

/// What makes a member of a list one of the list of active ones.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Active {
    /// Its event is in force.
    Event,
    /// The period that it is for holds the present.
    Period,
    /// It has taken effect.
    Effective,
    /// One of its reading sets is for a period that holds the present.
    Children,
}

/// Where an address begins.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Base {
    /// At the root.
    Root,
    /// At an end device.
    EndDevice,
}

/// What devices may do with a document of their own, beside reading it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Writes {
    /// Nothing: it is the operator's.
    #[default]
    None,
    /// `PUT` it.
    Put,
    /// `POST` it to its list, `PUT` and `DELETE` it.
    Members,
}

/// One resource type at one place.
#[derive(Clone, Copy, Debug)]
pub struct Route {
    pub base: Base,
    /// Segments, `#` for a number. One that ends in a number is a member of the list above it.
    pub template: &'static str,
    /// Element name.
    pub document: &'static str,
    /// Name of the list that it is a member of.
    pub list: &'static str,
    /// The link to it, or to its list, in the resource above.
    pub link: &'static str,
    /// Segment of the list of active members, its link, and what is active.
    pub active: Option<(&'static str, &'static str, Active)>,
    pub writes: Writes,
}

impl Route {
    #[must_use]
    pub fn is_member(&self) -> bool {
        self.template.ends_with('#')
    }

    /// The segments of the template.
    pub fn segments(&self) -> impl DoubleEndedIterator<Item = &'static str> {
        self.template.split('/')
    }

    /// How many numbers the address of a document has.
    #[must_use]
    pub fn numbers(&self) -> usize {
        self.segments().filter(|segment| *segment == "#").count()
    }

    /// Whether documents of it are events with a status that follows the clock.
    #[must_use]
    pub fn is_event(&self) -> bool {
        EVENTS.contains(&self.document)
    }

    /// Whether a later event of the same list takes the place of an earlier one.
    ///
    /// Interpretation: messages are shown side by side and a flow reservation answers one request,
    /// so only controls and prices displace each other.
    #[must_use]
    pub fn supersedes(&self) -> bool {
        matches!(self.document, "EndDeviceControl" | "TimeTariffInterval")
    }

    /// Whether the link to it is served although nothing is there yet.
    #[must_use]
    pub fn is_offered(&self) -> bool {
        self.writes != Writes::None
    }
}

macro_rules! members {
    ($base:ident $template:literal $document:literal $($rest:tt)*) => {
        Route {
            base: Base::$base,
            template: $template,
            document: $document,
            list: concat!($document, "List"),
            link: concat!($document, "ListLink"),
            active: members!(@active $document $($rest)*),
            writes: members!(@writes $($rest)*),
        }
    };
    (@active $document:literal active $segment:literal $kind:ident) => {
        Some(($segment, concat!("Active", $document, "ListLink"), Active::$kind))
    };
    (@active $document:literal $(writes)?) => { None };
    (@writes writes) => { Writes::Members };
    (@writes $(active $segment:literal $kind:ident)?) => { Writes::None };
}

macro_rules! single {
    ($base:ident $template:literal $document:literal $writes:ident) => {
        Route {
            base: Base::$base,
            template: $template,
            document: $document,
            list: "",
            link: concat!($document, "Link"),
            active: None,
            writes: Writes::$writes,
        }
    };
}

/// Documents of the types derived from `Event`.
const EVENTS: [&str; 4] = [
    "EndDeviceControl",
    "TimeTariffInterval",
    "TextMessage",
    "FlowReservationResponse",
];

/// Every route. What is stored names them by path, so rows may move.
pub const ROUTES: &[Route] = &[
    // Demand response and load control.
    members!(Root "dr/#" "DemandResponseProgram"),
    members!(Root "dr/#/edc/#" "EndDeviceControl" active "actedc" Event),
    members!(EndDevice "lsl/#" "LoadShedAvailability" writes),
    // Pricing.
    members!(Root "tp/#" "TariffProfile"),
    members!(Root "tp/#/rc/#" "RateComponent"),
    single!(Root "tp/#/rc/#/rt" "ReadingType" None),
    members!(Root "tp/#/rc/#/tti/#" "TimeTariffInterval" active "acttti" Event),
    members!(Root "tp/#/rc/#/tti/#/cti/#" "ConsumptionTariffInterval"),
    // Messaging.
    members!(Root "msg/#" "MessagingProgram"),
    members!(Root "msg/#/txt/#" "TextMessage" active "acttxt" Event),
    // Billing.
    members!(Root "bill/#" "CustomerAccount"),
    members!(Root "bill/#/ca/#" "CustomerAgreement"),
    members!(Root "bill/#/ca/#/bp/#" "BillingPeriod" active "actbp" Period),
    members!(Root "bill/#/ca/#/ver/#" "HistoricalReading"),
    single!(Root "bill/#/ca/#/ver/#/rt" "ReadingType" None),
    members!(Root "bill/#/ca/#/ver/#/brs/#" "BillingReadingSet"),
    members!(Root "bill/#/ca/#/ver/#/brs/#/br/#" "BillingReading"),
    members!(Root "bill/#/ca/#/pro/#" "ProjectionReading" active "actpro" Children),
    single!(Root "bill/#/ca/#/pro/#/rt" "ReadingType" None),
    members!(Root "bill/#/ca/#/pro/#/brs/#" "BillingReadingSet"),
    members!(Root "bill/#/ca/#/pro/#/brs/#/br/#" "BillingReading"),
    members!(Root "bill/#/ca/#/tar/#" "TargetReading" active "acttar" Children),
    single!(Root "bill/#/ca/#/tar/#/rt" "ReadingType" None),
    members!(Root "bill/#/ca/#/tar/#/brs/#" "BillingReadingSet"),
    members!(Root "bill/#/ca/#/tar/#/brs/#/br/#" "BillingReading"),
    members!(Root "ss/#" "ServiceSupplier"),
    // Prepayment.
    members!(Root "ppy/#" "Prepayment"),
    single!(Root "ppy/#/ab" "AccountBalance" None),
    single!(Root "ppy/#/os" "PrepayOperationStatus" None),
    members!(Root "ppy/#/cr/#" "CreditRegister" active "actcr" Effective),
    members!(Root "ppy/#/si/#" "SupplyInterruptionOverride" active "actsi" Period),
    // Flow reservation.
    members!(EndDevice "frq/#" "FlowReservationRequest" writes),
    members!(EndDevice "frp/#" "FlowReservationResponse"),
    // File download.
    members!(Root "file/#" "File"),
    single!(EndDevice "fs" "FileStatus" Put),
    // Metering.
    members!(Root "upt/#" "UsagePoint"),
    members!(Root "upt/#/mr/#" "MeterReading"),
    single!(Root "upt/#/mr/#/rt" "ReadingType" None),
    single!(Root "upt/#/mr/#/r" "Reading" None),
    members!(Root "upt/#/mr/#/rs/#" "ReadingSet"),
    members!(Root "upt/#/mr/#/rs/#/r/#" "Reading"),
    // What devices say of themselves.
    single!(EndDevice "der/1/curderc" "CurrentDERControls" Put),
    members!(EndDevice "der/1/comp/#" "DERComponent" writes),
    single!(EndDevice "cfg" "Configuration" Put),
    members!(EndDevice "cfg/prcfg/#" "PriceResponseCfg" writes),
    single!(EndDevice "dstat" "DeviceStatus" Put),
    single!(EndDevice "ps" "PowerStatus" Put),
    members!(EndDevice "di/loc/#" "SupportedLocale" writes),
    members!(EndDevice "ns/#" "IPInterface" writes),
    members!(EndDevice "ns/#/addr/#" "IPAddr" writes),
    members!(EndDevice "ns/#/addr/#/rpl/#" "RPLInstance" writes),
    members!(EndDevice "ns/#/addr/#/rpl/#/srt/#" "RPLSourceRoutes" writes),
    members!(EndDevice "ns/#/ll/#" "LLInterface" writes),
    members!(EndDevice "ns/#/ll/#/nbh/#" "Neighbor" writes),
    // What the server says of itself.
    single!(Root "sdev/di" "DeviceInformation" None),
    single!(Root "sdev/dstat" "DeviceStatus" None),
    single!(Root "sdev/ps" "PowerStatus" None),
];

/// A route by its place in [`ROUTES`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RouteId(usize);

impl RouteId {
    pub(super) const FIRST: Self = Self(0);
    pub(super) const LAST: Self = Self(ROUTES.len() - 1);

    pub const CONFIGURATION: Self = Self::of("cfg");
    pub const CURRENT_DER_CONTROLS: Self = Self::of("der/1/curderc");
    pub const CUSTOMER_ACCOUNTS: Self = Self::of("bill/#");
    pub const DEMAND_RESPONSE_PROGRAMS: Self = Self::of("dr/#");
    pub const DER_COMPONENTS: Self = Self::of("der/1/comp/#");
    pub const DEVICE_STATUS: Self = Self::of("dstat");
    pub const FILE_STATUS: Self = Self::of("fs");
    pub const FILES: Self = Self::of("file/#");
    pub const FLOW_RESERVATION_REQUESTS: Self = Self::of("frq/#");
    pub const FLOW_RESERVATION_RESPONSES: Self = Self::of("frp/#");
    pub const IP_INTERFACES: Self = Self::of("ns/#");
    pub const LOAD_SHED_AVAILABILITIES: Self = Self::of("lsl/#");
    pub const MESSAGING_PROGRAMS: Self = Self::of("msg/#");
    pub const POWER_STATUS: Self = Self::of("ps");
    pub const PREPAYMENTS: Self = Self::of("ppy/#");
    pub const SELF_INFORMATION: Self = Self::of("sdev/di");
    pub const SELF_POWER_STATUS: Self = Self::of("sdev/ps");
    pub const SELF_STATUS: Self = Self::of("sdev/dstat");
    pub const SUPPORTED_LOCALES: Self = Self::of("di/loc/#");
    pub const TARIFF_PROFILES: Self = Self::of("tp/#");
    pub const USAGE_POINTS: Self = Self::of("upt/#");

    /// The route of `template`, which no two bases share; it does not compile if there is none.
    const fn of(template: &str) -> Self {
        let mut place = 0;
        while !same(ROUTES[place].template.as_bytes(), template.as_bytes()) {
            place += 1;
        }
        Self(place)
    }

    #[must_use]
    pub fn route(self) -> &'static Route {
        &ROUTES[self.0]
    }

    /// Every route.
    pub fn all() -> impl Iterator<Item = Self> {
        (0..ROUTES.len()).map(Self)
    }

    /// The routes right below this one, in order of the table.
    pub fn children(self) -> impl Iterator<Item = Self> {
        let above = self.route();
        Self::all().filter(move |id| {
            let below = id.route();
            below.base == above.base && parent(below.template) == Some(above.template)
        })
    }

    /// This route and every one below it.
    pub(super) fn and_below(self) -> impl Iterator<Item = Self> {
        let top = self.route();
        Self::all().filter(move |id| {
            let rest = id.route().template.strip_prefix(top.template);
            id.route().base == top.base
                && rest.is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
        })
    }

    /// The route right above; none if that is a resource with code of its own.
    #[must_use]
    pub fn parent(self) -> Option<Self> {
        let above = parent(self.route().template)?;
        Self::all().find(|id| id.route().base == self.route().base && id.route().template == above)
    }
}

const fn same(a: &[u8], b: &[u8]) -> bool {
    let mut place = 0;
    while place < a.len() && place < b.len() && a[place] == b[place] {
        place += 1;
    }
    place == a.len() && place == b.len()
}

/// The template without its last segment, or without its last two if it is that of a member.
fn parent(template: &str) -> Option<&str> {
    let (above, last) = template.rsplit_once('/')?;
    if last == "#" {
        return above.rsplit_once('/').map(|(above, _)| above);
    }
    Some(above)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_route_hangs_from_another_or_from_a_resource_with_code_of_its_own() {
        let roots = ["", "der/1", "di", "sdev"];
        for id in RouteId::all() {
            let above = parent(id.route().template).unwrap_or("");
            let known = id.parent().is_some() || roots.contains(&above);
            assert!(known, "{}", id.route().template);
            assert!(id.route().numbers() <= super::super::path::NUMBERS_MAX);
        }
    }

    #[test]
    fn no_template_is_there_twice() {
        for (place, route) in ROUTES.iter().enumerate() {
            let twice = ROUTES[..place]
                .iter()
                .any(|other| other.template == route.template);
            assert!(!twice, "{}", route.template);
        }
    }
}
