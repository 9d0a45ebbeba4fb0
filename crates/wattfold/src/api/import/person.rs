//! The columns of a file that are about persons. They go where personal data lie, and nowhere else.

use std::collections::BTreeMap;

use fleet::{CimMrid, Fleet};
use store::{Holder, Kept, Onto, Person, Put, PutError};

use super::row::{ImportRow, ReadRow};
use crate::api::person::{Private, draw, erased_owner, holder};
use crate::api::problem::Problem;
use crate::api::{ApiState, owner};

impl ImportRow {
    /// What the row says of the owner's person; nothing where it says nothing.
    ///
    /// # Errors
    /// A [`Problem`] with the column, and nothing of its value.
    pub(super) fn person(&self, fleet: &Fleet) -> Result<Option<Person>, Problem> {
        let text = |column: &Option<Private>| column.as_ref().map(|text| text.0.clone());
        let person = Person {
            name: text(&self.owner_name),
            email: text(&self.owner_email),
            phone: text(&self.owner_phone),
            postal_address: text(&self.owner_address),
            note: None,
        };
        if person == Person::default() {
            return Ok(None);
        }
        let missing = || Problem::field("owner", "is missing");
        let owner = self.owner.as_deref().ok_or_else(missing)?;
        if let Some((field, rule)) = person.broken_rule() {
            let column = match field {
                "postal_address" => "owner_address".to_owned(),
                other => format!("owner_{other}"),
            };
            return Err(Problem::field(column, rule));
        }
        let known = CimMrid::new(owner).ok();
        let known = known.and_then(|mrid| fleet.enrolment().owners().by_mrid(&mrid));
        match known.filter(|owner| owner.erased.is_some()) {
            Some(gone) => Err(erased_owner(gone)),
            None => Ok(Some(person)),
        }
    }

    /// Takes up what is known of the owner's person.
    fn tell(&mut self, person: &Person) {
        let text = |field: &Option<String>| field.clone().map(Private);
        self.owner_name = text(&person.name);
        self.owner_email = text(&person.email);
        self.owner_phone = text(&person.phone);
        self.owner_address = text(&person.postal_address);
    }
}

/// Whether a file says anything of persons.
pub(super) fn says_of_persons(rows: &[ReadRow]) -> bool {
    rows.iter().flatten().any(|row| {
        let columns = [
            &row.owner_name,
            &row.owner_email,
            &row.owner_phone,
            &row.owner_address,
        ];
        columns.into_iter().any(Option::is_some)
    })
}

impl ApiState {
    /// Puts what rows that were taken in say of persons onto what is kept of them.
    pub(super) async fn put_persons<'a>(
        &self,
        rows: impl Iterator<Item = &'a ImportRow>,
    ) -> Result<(), Problem> {
        let told = self.world(|world| {
            let mut told: BTreeMap<Holder, Person> = BTreeMap::new();
            for row in rows {
                // What was erased since the row was taken in has no person to tell of.
                let (Some(owner), Ok(Some(person))) = (&row.owner, row.person(world.fleet)) else {
                    continue;
                };
                let holder = holder(owner::find(world.fleet, owner)?);
                let before = told.remove(&holder).unwrap_or_default();
                told.insert(holder, before.updated(&person));
            }
            Ok::<_, Problem>(told)
        })?;
        if told.is_empty() {
            return Ok(());
        }
        let put = |(holder, person)| Put {
            holder,
            person,
            onto: Onto::Kept,
            draw: draw(),
        };
        let puts: Vec<Put> = told.into_iter().map(put).collect();
        let done = self.persons(move |persons| persons.put(&puts)).await?;
        let refused = done.into_iter().filter_map(Result::err);
        let refused = refused.filter(|error| !matches!(error, PutError::Erased));
        match refused.count() {
            0 => Ok(()),
            count => Err(Problem::new(
                crate::api::problem::Kind::Unreadable,
                format!("{count} persons can't be read, so nothing can be added to them"),
            )),
        }
    }

    /// Has every row tell what is known of its owner's person, where that can be read.
    pub(super) async fn tell_persons(
        &self,
        mut rows: Vec<ImportRow>,
    ) -> Result<Vec<ImportRow>, Problem> {
        let holders: Vec<Holder> = self.world(|world| {
            let owners = rows.iter().filter_map(|row| row.owner.as_deref());
            let found = owners.filter_map(|owner| owner::find(world.fleet, owner).ok());
            let mut holders: Vec<Holder> = found.map(holder).collect();
            holders.sort_unstable();
            holders.dedup();
            holders
        });
        let (holders, kept) = self
            .persons(move |persons| persons.read(&holders).map(|kept| (holders, kept)))
            .await?;
        let known: BTreeMap<&str, &Person> = holders
            .iter()
            .zip(&kept)
            .filter_map(|(holder, kept)| match kept {
                Kept::Readable { person, .. } => Some((holder.owner.as_str(), &**person)),
                _ => None,
            })
            .collect();
        for row in &mut rows {
            let owner = row.owner.as_deref();
            if let Some(person) = owner.and_then(|owner| known.get(owner)) {
                row.tell(person);
            }
        }
        Ok(rows)
    }
}
