//! One DER of a file, with all that belongs to it.

use std::collections::BTreeMap;
use std::fmt;

use fleet::enrolment::admission::{Location, NewContract};
use fleet::enrolment::{Admission, Consent, Interconnection};
use fleet::{
    AggregatorId, AssignmentId, CimMrid, Command, Der, EnrolmentCommand, Fleet, Name, NewDer,
    Registration,
};
use serde::de::{IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde::{Deserialize, Deserializer, Serialize};
use serde_json::Value;
use units::{Timestamp, Watts};
use utoipa::ToSchema;

use super::MAX_IMPORT_ROWS;
use crate::api::der::Kind;
use crate::api::enrolment::{EnrolBy, pin, reserve};
use crate::api::interconnection::{FirmnessView, FuelView, InterconnectionView};
use crate::api::owner::{ConsentPurpose, agreed};
use crate::api::person::Private;
use crate::api::problem::{self, Problem};
use crate::api::settings_profile::{AbnormalCategory, NormalCategory, PerformanceCategory};
use crate::api::site::limit;
use crate::api::value::Time;
use crate::api::{assignment, request};

/// One DER. What is empty or absent stays as it is; lists are separated by blanks.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ImportRow {
    /// The utility's own name for the DER; the row is known by it.
    pub mrid: String,
    /// Name, unique in the fleet.
    pub name: String,
    /// Technology.
    pub kind: Option<Kind>,
    /// LFDI of its certificate, 40 hexadecimal digits.
    pub lfdi: String,
    /// Registration PIN with its check digit; drawn at random when absent.
    pub pin: Option<u32>,
    /// Who creates its `EndDevice`.
    pub registration: Option<EnrolBy>,
    /// State of charge that dispatch never goes below, in percent.
    pub reserve_pct: Option<f64>,
    /// Number of the aggregator that stands in for it.
    pub aggregator: Option<u32>,
    /// mRIDs of the nodes of the hierarchy that it belongs to.
    pub assignments: Option<String>,
    /// mRID of its owner; with it a site and a service point are needed.
    pub owner: Option<String>,
    /// Purposes that the owner agrees to.
    pub consents: Option<String>,
    /// The owner's name. This and the next three columns are kept apart from all others, as
    /// personal data; what is empty stays as it is.
    #[schema(value_type = Option<String>)]
    pub owner_name: Option<Private>,
    /// The owner's address of electronic mail.
    #[schema(value_type = Option<String>)]
    pub owner_email: Option<Private>,
    /// The owner's telephone number.
    #[schema(value_type = Option<String>)]
    pub owner_phone: Option<Private>,
    /// The owner's postal address.
    #[schema(value_type = Option<String>)]
    pub owner_address: Option<Private>,
    /// mRID of the site.
    pub site: Option<String>,
    /// mRID of the service point.
    pub service_point: Option<String>,
    /// Most import of the service point, in W, a magnitude.
    pub service_point_import_max_w: Option<f64>,
    /// Most export of the service point, in W, a magnitude.
    pub service_point_export_max_w: Option<f64>,
    /// From when it may operate. With this or any of the next columns an interconnection record is
    /// put.
    pub permission_from: Option<Time>,
    /// When permission ends.
    pub permission_until: Option<Time>,
    /// Most export approved, in W, a magnitude.
    pub export_max_w: Option<f64>,
    /// Most import approved, in W, a magnitude.
    pub import_max_w: Option<f64>,
    /// Whether a store may inject at all.
    pub may_discharge: Option<bool>,
    /// Performance category under normal conditions.
    pub normal_category: Option<NormalCategory>,
    /// Performance category under abnormal conditions.
    pub abnormal_category: Option<AbnormalCategory>,
    /// Whether it may be curtailed beyond its limits.
    pub firmness: Option<FirmnessView>,
    /// What drives it.
    pub fuel: Option<FuelView>,
    /// mRID of a contract; with it a programme and a beginning are needed.
    pub contract: Option<String>,
    /// mRID of the demand response programme.
    pub program: Option<String>,
    /// From when the contract holds.
    pub contract_from: Option<Time>,
    /// Until when.
    pub contract_until: Option<Time>,
    /// Active power promised, in W, a magnitude.
    pub committed_w: Option<f64>,
}

/// The columns of a file.
const COLUMNS: [&str; 33] = [
    "mrid",
    "name",
    "kind",
    "lfdi",
    "pin",
    "registration",
    "reserve_pct",
    "aggregator",
    "assignments",
    "owner",
    "consents",
    "owner_name",
    "owner_email",
    "owner_phone",
    "owner_address",
    "site",
    "service_point",
    "service_point_import_max_w",
    "service_point_export_max_w",
    "permission_from",
    "permission_until",
    "export_max_w",
    "import_max_w",
    "may_discharge",
    "normal_category",
    "abnormal_category",
    "firmness",
    "fuel",
    "contract",
    "program",
    "contract_from",
    "contract_until",
    "committed_w",
];

/// A row as it was read, or the field at fault and its rule.
pub(super) type ReadRow = Result<ImportRow, Problem>;

/// The rows of a CSV file. Only a header that does not fit refuses the whole of it.
pub(super) fn read_csv(bytes: &[u8]) -> Result<Vec<ReadRow>, Problem> {
    let mut reader = csv::ReaderBuilder::new()
        .trim(csv::Trim::All)
        .from_reader(bytes);
    let headers = reader.headers().map_err(|error| malformed(&error))?.clone();
    for header in &headers {
        if !COLUMNS.contains(&header) {
            return Err(Problem::field(header, "is no column of an import"));
        }
    }
    let mut rows = Vec::new();
    for record in reader.records() {
        if MAX_IMPORT_ROWS <= rows.len() {
            return Err(too_many());
        }
        rows.push(match record {
            Ok(record) => read_record(&record, &headers),
            Err(error) => Err(Problem::field("row", error.to_string())),
        });
    }
    Ok(rows)
}

/// The rows of a JSON array.
pub(super) fn read_json(bytes: &[u8]) -> Result<Vec<ReadRow>, Problem> {
    let Rows { rows, left_off } = request::parse(bytes)?;
    match left_off {
        0 => Ok(rows),
        _ => Err(too_many()),
    }
}

/// The first [`MAX_IMPORT_ROWS`] of an array, each read as it comes so that no more than one is in
/// memory as it was written, and of that no more than the columns that there are.
struct Rows {
    rows: Vec<ReadRow>,
    left_off: usize,
}

impl<'de> Deserialize<'de> for Rows {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_seq(RowsVisitor)
    }
}

struct RowsVisitor;

impl<'de> Visitor<'de> for RowsVisitor {
    type Value = Rows;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an array of rows")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut array: A) -> Result<Rows, A::Error> {
        let (mut rows, mut left_off) = (Vec::new(), 0);
        while rows.len() < MAX_IMPORT_ROWS {
            let Some(JsonRow(row)) = array.next_element()? else {
                break;
            };
            rows.push(row);
        }
        while array.next_element::<IgnoredAny>()?.is_some() {
            left_off += 1;
        }
        Ok(Rows { rows, left_off })
    }
}

/// An object of cells.
struct JsonRow(ReadRow);

impl<'de> Deserialize<'de> for JsonRow {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(JsonRowVisitor)
    }
}

struct JsonRowVisitor;

impl<'de> Visitor<'de> for JsonRowVisitor {
    type Value = JsonRow;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a row, which is an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut object: A) -> Result<JsonRow, A::Error> {
        let mut cells = serde_json::Map::new();
        let mut fault = None;
        while let Some(column) = object.next_key::<String>()? {
            let Cell(cell) = object.next_value()?;
            match cell {
                _ if cells.len() == COLUMNS.len() => {
                    let rule = format!("has more than {} columns", COLUMNS.len());
                    fault.get_or_insert_with(|| Problem::field("row", rule));
                }
                Some(value) => drop(cells.insert(column, value)),
                None => {
                    let rule = "is neither text nor a number nor true or false";
                    fault.get_or_insert_with(|| Problem::field(column, rule));
                }
            }
        }
        Ok(JsonRow(match fault {
            Some(problem) => Err(problem),
            None => read_cells(cells),
        }))
    }
}

/// A value that is not made of others, `None` for one that is; what is in that is not kept.
struct Cell(Option<Value>);

impl<'de> Deserialize<'de> for Cell {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(CellVisitor)
    }
}

struct CellVisitor;

impl<'de> Visitor<'de> for CellVisitor {
    type Value = Cell;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a value")
    }

    fn visit_bool<E>(self, value: bool) -> Result<Cell, E> {
        Ok(Cell(Some(value.into())))
    }

    fn visit_i64<E>(self, value: i64) -> Result<Cell, E> {
        Ok(Cell(Some(value.into())))
    }

    fn visit_u64<E>(self, value: u64) -> Result<Cell, E> {
        Ok(Cell(Some(value.into())))
    }

    fn visit_f64<E>(self, value: f64) -> Result<Cell, E> {
        Ok(Cell(Some(value.into())))
    }

    fn visit_str<E>(self, value: &str) -> Result<Cell, E> {
        Ok(Cell(Some(value.into())))
    }

    fn visit_unit<E>(self) -> Result<Cell, E> {
        Ok(Cell(Some(Value::Null)))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut array: A) -> Result<Cell, A::Error> {
        while array.next_element::<IgnoredAny>()?.is_some() {}
        Ok(Cell(None))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut object: A) -> Result<Cell, A::Error> {
        while object.next_entry::<IgnoredAny, IgnoredAny>()?.is_some() {}
        Ok(Cell(None))
    }
}

fn read_cells(cells: serde_json::Map<String, Value>) -> ReadRow {
    serde_path_to_error::deserialize(Value::Object(cells)).map_err(|error| {
        let field = error.path().to_string();
        Problem::field(field, error.into_inner().to_string())
    })
}

fn too_many() -> Problem {
    let detail = format!("a file has at most {MAX_IMPORT_ROWS} rows");
    Problem::new(problem::Kind::TooLarge, detail)
}

/// The rows as a CSV file.
pub(super) fn write_csv(rows: &[ImportRow]) -> Result<Vec<u8>, Problem> {
    let mut writer = csv::Writer::from_writer(Vec::new());
    for row in rows {
        writer.serialize(row).map_err(|error| malformed(&error))?;
    }
    writer.into_inner().map_err(|_| Problem::lost())
}

fn malformed(error: &csv::Error) -> Problem {
    Problem::new(
        problem::Kind::Malformed,
        format!("the body is no CSV: {error}"),
    )
}

fn read_record(record: &csv::StringRecord, headers: &csv::StringRecord) -> ReadRow {
    record.deserialize(Some(headers)).map_err(|error| {
        let rule = match error.kind() {
            csv::ErrorKind::Deserialize { err, .. } => err.kind().to_string(),
            _ => error.to_string(),
        };
        Problem::field(column_at_fault(record, headers), rule)
    })
}

/// The column without which the record could be read: the reader itself does not always tell.
fn column_at_fault<'a>(record: &csv::StringRecord, headers: &'a csv::StringRecord) -> &'a str {
    let without = |index: usize| {
        let columns = record.iter().enumerate();
        let blanked: csv::StringRecord = columns
            .map(|(at, text)| if at == index { "" } else { text })
            .collect();
        blanked.deserialize::<ImportRow>(Some(headers)).is_ok()
    };
    let mut columns = (0..record.len()).filter(|index| without(*index));
    let found = columns.next().and_then(|index| headers.get(index));
    found.unwrap_or("row")
}

/// Every enrolled DER as a row; of several contracts the first.
pub(super) fn rows(fleet: &Fleet) -> Vec<ImportRow> {
    let enrolled = fleet.ders().iter().filter(|der| der.removed.is_none());
    enrolled.map(|der| row(fleet, der)).collect()
}

impl ImportRow {
    /// What the row asks for.
    pub(super) fn command(&self, fleet: &Fleet, now: Timestamp) -> Result<Command, Problem> {
        self.person(fleet)?;
        let admission = Admission {
            der: self.der(fleet)?,
            standing_at: self.location(fleet, now)?,
            interconnection: self.interconnection(fleet)?,
            contracts: self.contract()?.into_iter().collect(),
        };
        let admit = EnrolmentCommand::Admit(Box::new(admission));
        Ok(Command::Enrolment(admit))
    }

    fn der(&self, fleet: &Fleet) -> Result<NewDer, Problem> {
        let nodes: Vec<String> = words(self.assignments.as_deref());
        let mrid = CimMrid::new(&self.mrid).map_err(|e| Problem::field("mrid", e.to_string()))?;
        let known = fleet.der_by_mrid(&mrid);
        let kind = self.kind.map(Into::into).or_else(|| Some(known?.kind));
        let missing = || Problem::field("kind", "is missing");
        let kept = known.filter(|_| self.reserve_pct.is_none());
        Ok(NewDer {
            name: Name::new(&self.name).map_err(|e| Problem::field("name", e.to_string()))?,
            kind: kind.ok_or_else(missing)?,
            lfdi: self.lfdi.parse().map_err(Problem::lfdi)?,
            pin: match known.filter(|_| self.pin.is_none()) {
                Some(known) => known.pin,
                None => pin(self.pin)?,
            },
            registered: self.registration == Some(EnrolBy::OutOfBand),
            reserve: match kept {
                Some(kept) => kept.reserve,
                None => reserve(self.reserve_pct)?,
            },
            manager: self.aggregator.map(AggregatorId),
            assignments: assignment::nodes(fleet, &nodes)?,
            mrid,
        })
    }

    fn location(&self, fleet: &Fleet, now: Timestamp) -> Result<Option<Location>, Problem> {
        let given = [&self.owner, &self.site, &self.service_point];
        if given.iter().all(|column| column.is_none()) {
            return Ok(None);
        }
        let needed = |field: &str, given: &Option<String>| {
            let missing = || Problem::field(field, "is missing: owner, site, service_point");
            let text = given.as_deref().ok_or_else(missing)?;
            CimMrid::new(text).map_err(|e| Problem::field(field, e.to_string()))
        };
        let consents: Result<BTreeMap<ConsentPurpose, bool>, Problem> =
            words(self.consents.as_deref())
                .into_iter()
                .map(|purpose| Ok((self::purpose(&purpose)?, true)))
                .collect();
        let mut owner = agreed(fleet, &needed("owner", &self.owner)?, consents?, now);
        // A file says what is agreed to; it takes nothing back, nor gives what was withdrawn.
        if let Some(known) = fleet.enrolment().owners().by_mrid(&owner.mrid) {
            let withdrawn = known.consents.iter();
            let withdrawn = withdrawn.filter(|(_, c)| matches!(c, Consent::Withdrawn(_)));
            owner.consents.extend(withdrawn.map(|(p, c)| (*p, *c)));
        }
        Ok(Some(Location {
            owner,
            site: needed("site", &self.site)?,
            service_point: needed("service_point", &self.service_point)?,
            import_max: limit(
                "service_point_import_max_w",
                self.service_point_import_max_w,
            )?,
            export_max: limit(
                "service_point_export_max_w",
                self.service_point_export_max_w,
            )?,
        }))
    }

    fn interconnection(&self, fleet: &Fleet) -> Result<Option<Interconnection>, Problem> {
        let given = self.permission_from.is_some()
            || self.permission_until.is_some()
            || self.export_max_w.is_some()
            || self.import_max_w.is_some()
            || self.may_discharge.is_some()
            || self.normal_category.is_some()
            || self.abnormal_category.is_some()
            || self.firmness.is_some()
            || self.fuel.is_some();
        if !given {
            return Ok(None);
        }
        let category = match (self.normal_category, self.abnormal_category) {
            (Some(normal), Some(abnormal)) => Some(PerformanceCategory { normal, abnormal }),
            (None, None) => None,
            _ => {
                return Err(Problem::field(
                    "normal_category",
                    "goes with abnormal_category",
                ));
            }
        };
        let known = CimMrid::new(&self.mrid).ok();
        let known = known.and_then(|mrid| fleet.der_by_mrid(&mrid));
        let known = known.and_then(|der| fleet.enrolment().interconnection(der.id));
        let unknown = Interconnection::awaiting_permission();
        let known = known.unwrap_or(&unknown);
        let view = InterconnectionView::from(known);
        let view = InterconnectionView {
            permission_from: self.permission_from.or(view.permission_from),
            permission_until: self.permission_until.or(view.permission_until),
            export_max_w: self.export_max_w.or(view.export_max_w),
            import_max_w: self.import_max_w.or(view.import_max_w),
            may_discharge: self.may_discharge.unwrap_or(view.may_discharge),
            category: category.or(view.category),
            // A file has no column for it.
            limited_generation: None,
            firmness: self.firmness.unwrap_or(view.firmness),
            fuel: self.fuel.or(view.fuel),
        };
        let mut record = view.read()?;
        record
            .limited_generation
            .clone_from(&known.limited_generation);
        Ok(Some(record))
    }

    fn contract(&self) -> Result<Option<NewContract>, Problem> {
        let Some(contract) = &self.contract else {
            return Ok(None);
        };
        let mrid = |field: &str, text: &str| {
            CimMrid::new(text).map_err(|e| Problem::field(field, e.to_string()))
        };
        let program = self.program.as_deref();
        let program = program.ok_or_else(|| Problem::field("program", "is missing"))?;
        let from = self.contract_from;
        let from = from.ok_or_else(|| Problem::field("contract_from", "is missing"))?;
        Ok(Some(NewContract {
            mrid: mrid("contract", contract)?,
            program: mrid("program", program)?,
            from: from.0,
            until: self.contract_until.map(|time| time.0),
            committed: limit("committed_w", self.committed_w)?,
        }))
    }
}

fn words(text: Option<&str>) -> Vec<String> {
    let words = text.unwrap_or_default().split_whitespace();
    words.map(str::to_owned).collect()
}

fn purpose(text: &str) -> Result<ConsentPurpose, Problem> {
    let value = serde::de::value::StrDeserializer::<serde::de::value::Error>::new(text);
    ConsentPurpose::deserialize(value)
        .map_err(|error| Problem::field("consents", error.to_string()))
}

fn row(fleet: &Fleet, der: &Der) -> ImportRow {
    let book = fleet.enrolment();
    let owner = book.owner_of(der.id).map(|(_, owner)| owner);
    let point = book.service_point_of(der.id).map(|(_, point)| point);
    let record = book.interconnection(der.id).map(InterconnectionView::from);
    let contract = book.contracts_of(der.id).next();
    let program = contract.and_then(|c| book.programs().get(c.program.0));
    let agreed = |owner: &fleet::enrolment::Owner| {
        let given = owner
            .consents
            .keys()
            .filter(|purpose| owner.agrees_to(**purpose));
        let words: Vec<String> = given
            .filter_map(|purpose| {
                let json = serde_json::to_value(ConsentPurpose::from(*purpose)).ok()?;
                Some(json.as_str()?.to_owned())
            })
            .collect();
        words.join(" ")
    };
    let node = |id: &AssignmentId| Some(fleet.assignment(*id)?.mrid.to_string());
    let nodes: Vec<String> = der.assignments.iter().filter_map(node).collect();
    let some = |text: String| (!text.is_empty()).then_some(text);
    let mut row = ImportRow {
        mrid: der.mrid.to_string(),
        name: der.name.to_string(),
        kind: Some(der.kind.into()),
        lfdi: der.lfdi.to_string(),
        pin: Some(der.pin.digits()),
        registration: match der.registration {
            Registration::Registered(_) => Some(EnrolBy::OutOfBand),
            Registration::Authorised => Some(EnrolBy::InBand),
        },
        reserve_pct: Some(der.reserve.as_f64()),
        aggregator: der.manager.map(|manager| manager.0),
        assignments: some(nodes.join(" ")),
        owner: owner.map(|owner| owner.mrid.to_string()),
        consents: owner.map(agreed).and_then(some),
        site: book.site_of(der.id).map(|(_, site)| site.mrid.to_string()),
        service_point: point.map(|point| point.mrid.to_string()),
        service_point_import_max_w: point.and_then(|p| p.import_max).map(Watts::as_f64),
        service_point_export_max_w: point.and_then(|p| p.export_max).map(Watts::as_f64),
        contract: contract.map(|contract| contract.mrid.to_string()),
        program: program.map(|program| program.mrid.to_string()),
        contract_from: contract.map(|contract| contract.from.into()),
        contract_until: contract.and_then(|c| c.until).map(Time),
        committed_w: contract.and_then(|c| c.committed).map(Watts::as_f64),
        ..ImportRow::default()
    };
    if let Some(record) = record {
        row.permission_from = record.permission_from;
        row.permission_until = record.permission_until;
        row.export_max_w = record.export_max_w;
        row.import_max_w = record.import_max_w;
        row.may_discharge = Some(record.may_discharge);
        row.normal_category = record.category.map(|category| category.normal);
        row.abnormal_category = record.category.map(|category| category.abnormal);
        row.firmness = Some(record.firmness);
        row.fuel = record.fuel;
    }
    row
}
