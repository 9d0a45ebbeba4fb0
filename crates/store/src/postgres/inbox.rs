//! Requests that a node which does not lead hands to the leader, and the leader's answers.
//!
//! A request is a row under an id drawn by the node that took it. The leader's commit marks the
//! rows that it decides in its own transaction, and fails when one is gone, so a request is carried
//! out at most once whoever dies; until then the node that put it may withdraw it.

use ::postgres::Client;

use super::address::Address;
use super::link::Link;
use super::schema::bytes;
use crate::StorageError;

/// Most requests that may wait in the database.
pub const MAX_REQUESTS: usize = 10_000;
/// How long an answer waits for the node that asked.
const KEPT: &str = "10 minutes";

/// Names a request; drawn at random.
pub type RequestId = u128;

/// What a node asks of the leader; only the nodes know what is in it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Request {
    /// Its name.
    pub id: RequestId,
    /// What is asked.
    pub head: String,
    /// With which body.
    pub body: Vec<u8>,
}

/// A request as the leader finds it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Waiting {
    /// To be carried out.
    Open(Request),
    /// A leader has carried it out and did not live to answer.
    Decided(RequestId),
}

/// What the leader answers.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Reply {
    /// The request.
    pub id: RequestId,
    /// The answer's head.
    pub head: String,
    /// The answer's body.
    pub body: Vec<u8>,
    /// The commit that a node must have folded before it gives this answer.
    pub change: u64,
}

/// A node's access to the requests, over a connection of its own.
#[derive(Debug)]
pub struct Inbox {
    link: Link,
    node: String,
}

impl Inbox {
    /// For the node called `node`, whose name no other bears at this time.
    #[must_use]
    pub const fn new(address: Address, node: String) -> Self {
        Self {
            link: Link::patient(address, "wattfold inbox"),
            node,
        }
    }

    /// Puts a request. `false` when [`MAX_REQUESTS`] wait already. To put it twice is to put it
    /// once.
    ///
    /// # Errors
    /// [`StorageError`] when the database does not answer; the request may be there.
    pub fn put(&mut self, request: &Request) -> Result<bool, StorageError> {
        let node = self.node.clone();
        let id = request.id.to_be_bytes();
        let client = self.client()?;
        let put = client.execute(
            "INSERT INTO request (id, node, head, body) SELECT $1, $2, $3, $4
             WHERE (SELECT count(*) FROM request) < $5 ON CONFLICT (id) DO NOTHING",
            &[
                &id.as_slice(),
                &node,
                &request.head,
                &request.body,
                &i64::try_from(MAX_REQUESTS).unwrap_or(i64::MAX),
            ],
        )?;
        if put == 1 {
            return Ok(true);
        }
        let there = "SELECT FROM request WHERE id = $1";
        Ok(client.query_opt(there, &[&id.as_slice()])?.is_some())
    }

    /// Takes a request back unless it was decided: `true` when nobody will carry it out.
    ///
    /// # Errors
    /// [`StorageError`] when the database does not answer.
    pub fn withdraw(&mut self, id: RequestId) -> Result<bool, StorageError> {
        let id = id.to_be_bytes();
        let client = self.client()?;
        let gone = client.execute(
            "DELETE FROM request WHERE id = $1 AND change IS NULL AND answer_head IS NULL",
            &[&id.as_slice()],
        )?;
        if gone == 1 {
            return Ok(true);
        }
        let there = "SELECT FROM request WHERE id = $1";
        Ok(client.query_opt(there, &[&id.as_slice()])?.is_none())
    }

    /// The requests that wait for an answer, the oldest first, at most `limit`.
    ///
    /// # Errors
    /// [`StorageError`] when the database does not answer.
    pub fn waiting(&mut self, limit: usize) -> Result<Vec<Waiting>, StorageError> {
        let limit = i64::try_from(limit).unwrap_or(i64::MAX);
        let rows = self.client()?.query(
            "SELECT id, head, body, change IS NOT NULL FROM request
             WHERE answer_head IS NULL ORDER BY put LIMIT $1",
            &[&limit],
        )?;
        let waiting = rows.iter().map(|row| {
            let id = u128::from_be_bytes(bytes(row.try_get(0)?));
            Ok(if row.try_get(3)? {
                Waiting::Decided(id)
            } else {
                Waiting::Open(Request {
                    id,
                    head: row.try_get(1)?,
                    body: row.try_get(2)?,
                })
            })
        });
        Ok(waiting.collect::<Result<_, ::postgres::Error>>()?)
    }

    /// Answers a request. If its commit is known to be later than `reply.change`, that counts.
    ///
    /// # Errors
    /// [`StorageError`] when the database does not answer.
    pub fn answer(&mut self, reply: &Reply) -> Result<(), StorageError> {
        self.client()?.execute(
            "UPDATE request SET answer_head = $2, answer_body = $3,
                 change = greatest(coalesce(change, 0), $4)
             WHERE id = $1 AND answer_head IS NULL",
            &[
                &reply.id.to_be_bytes().as_slice(),
                &reply.head,
                &reply.body,
                &reply.change.cast_signed(),
            ],
        )?;
        Ok(())
    }

    /// The answers to this node's requests.
    ///
    /// # Errors
    /// [`StorageError`] when the database does not answer.
    pub fn answers(&mut self) -> Result<Vec<Reply>, StorageError> {
        let node = self.node.clone();
        let rows = self.client()?.query(
            "SELECT id, answer_head, answer_body, change FROM request
             WHERE node = $1 AND answer_head IS NOT NULL",
            &[&node],
        )?;
        let replies = rows.iter().map(|row| {
            Ok(Reply {
                id: u128::from_be_bytes(bytes(row.try_get(0)?)),
                head: row.try_get(1)?,
                body: row.try_get(2)?,
                change: row.try_get::<_, i64>(3)?.cast_unsigned(),
            })
        });
        Ok(replies.collect::<Result<_, ::postgres::Error>>()?)
    }

    /// Removes requests whose answers were taken, and answers that nobody has come for.
    ///
    /// # Errors
    /// [`StorageError`] when the database does not answer.
    pub fn remove(&mut self, ids: &[RequestId]) -> Result<(), StorageError> {
        let ids: Vec<[u8; 16]> = ids.iter().map(|id| id.to_be_bytes()).collect();
        let ids: Vec<&[u8]> = ids.iter().map(<[u8; 16]>::as_slice).collect();
        let sql = format!(
            "DELETE FROM request WHERE id = ANY ($1)
                 OR answer_head IS NOT NULL AND put < clock_timestamp() - interval '{KEPT}'"
        );
        self.client()?.execute(&sql, &[&ids])?;
        Ok(())
    }

    /// Requests that wait for the leader.
    ///
    /// # Errors
    /// [`StorageError`] when the database does not answer.
    pub fn depth(&mut self) -> Result<usize, StorageError> {
        let sql = "SELECT count(*) FROM request WHERE answer_head IS NULL";
        let depth: i64 = self.client()?.query_one(sql, &[])?.try_get(0)?;
        Ok(usize::try_from(depth).unwrap_or(0))
    }

    fn client(&mut self) -> Result<&mut Client, StorageError> {
        Ok(self.link.client()?)
    }
}
