//! Which node may write: a lease by the database's clock, with a token that only ever grows.
//!
//! Whoever takes the lease ends the database session of the holder before, so that a holder that
//! stopped in the middle of a commit blocks nobody, and moves the token that every commit checks.

use std::time::Duration;

use postgres::Client;

use super::address::Address;
use super::link::Link;
use crate::StorageError;

/// The right to write under one token.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Term {
    /// Greater than that of every term before.
    pub token: u64,
}

/// How the lease stands.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Standing {
    /// Who holds it, or held it last; empty when nobody ever did.
    pub holder: String,
    /// Under which token.
    pub token: u64,
    /// How long it goes on; nothing when it is over.
    pub left: Option<Duration>,
}

/// What came of asking for the lease.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Asked {
    /// It was given.
    Given(Term),
    /// Another holds it.
    Held(Standing),
}

/// A node's access to the lease, over a connection of its own, so that a long commit does not
/// hold up a renewal.
#[derive(Debug)]
pub struct Lease {
    link: Link,
    holder: String,
}

impl Term {
    /// The name under which the server lists the session that writes in this term.
    pub(super) fn session(self) -> String {
        format!("wattfold writer {}", self.token)
    }
}

impl Lease {
    /// For the node called `holder`.
    #[must_use]
    pub const fn new(address: Address, holder: String) -> Self {
        let link = Link::patient(address, "wattfold lease");
        Self { link, holder }
    }

    /// Takes the lease for `duration`, unless somebody's goes on.
    ///
    /// # Errors
    /// [`StorageError`] when the database does not answer; it is unknown then whether the lease
    /// was taken, and nobody writes under it.
    pub fn acquire(&mut self, duration: Duration) -> Result<Asked, StorageError> {
        let holder = self.holder.clone();
        let mut transaction = self.client()?.transaction()?;
        let row = transaction.query_one(&format!("{LOOK} FOR UPDATE"), &[])?;
        let standing = standing(&row)?;
        if standing.left.is_some() {
            return Ok(Asked::Held(standing));
        }
        let before = Term {
            token: standing.token,
        };
        transaction.query(
            "SELECT pg_terminate_backend(pid, 2000) FROM pg_stat_activity
             WHERE application_name = $1 AND datname = current_database()
                 AND usename = current_user",
            &[&before.session()],
        )?;
        let term = Term {
            token: standing.token + 1,
        };
        let token = term.token.cast_signed();
        transaction.execute(
            "UPDATE lease SET holder = $1, token = $2,
                 expires = clock_timestamp() + make_interval(secs => $3)",
            &[&holder, &token, &duration.as_secs_f64()],
        )?;
        transaction.execute("UPDATE head SET token = $1", &[&token])?;
        transaction.commit()?;
        Ok(Asked::Given(term))
    }

    /// Lets `term` go on for `duration` from now. `false` when another has begun since.
    ///
    /// # Errors
    /// [`StorageError`] when the database does not answer.
    pub fn renew(&mut self, term: Term, duration: Duration) -> Result<bool, StorageError> {
        let renewed = self.client()?.execute(
            "UPDATE lease SET expires = clock_timestamp() + make_interval(secs => $2)
             WHERE token = $1",
            &[&term.token.cast_signed(), &duration.as_secs_f64()],
        )?;
        Ok(renewed == 1)
    }

    /// Ends `term`, so that another node need not wait; its holder must have stopped writing.
    ///
    /// # Errors
    /// [`StorageError`] when the database does not answer.
    pub fn release(&mut self, term: Term) -> Result<(), StorageError> {
        self.client()?.execute(
            "UPDATE lease SET expires = '-infinity' WHERE token = $1",
            &[&term.token.cast_signed()],
        )?;
        Ok(())
    }

    /// Looks who holds it.
    ///
    /// # Errors
    /// [`StorageError`] when the database does not answer.
    pub fn look(&mut self) -> Result<Standing, StorageError> {
        let row = self.client()?.query_one(LOOK, &[])?;
        Ok(standing(&row)?)
    }

    fn client(&mut self) -> Result<&mut Client, StorageError> {
        Ok(self.link.client()?)
    }
}

const LOOK: &str = "SELECT holder, token,
         CASE WHEN isfinite(expires)
              THEN extract(epoch FROM expires - clock_timestamp())::float8 ELSE 0 END
     FROM lease";

fn standing(row: &postgres::Row) -> Result<Standing, postgres::Error> {
    let left: f64 = row.try_get(2)?;
    Ok(Standing {
        holder: row.try_get(0)?,
        token: row.try_get::<_, i64>(1)?.cast_unsigned(),
        left: Duration::try_from_secs_f64(left)
            .ok()
            .filter(|left| !left.is_zero()),
    })
}
