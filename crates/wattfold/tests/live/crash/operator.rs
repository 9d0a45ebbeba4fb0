//! Operators, who create, plan, publish, change and cancel dispatches, and ask again when they got
//! no answer.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use serde_json::{Value, json};
use wattfold::clock;

use super::told::{Asked, Fault, FoundDispatch, Terms, Told, ToldDispatch};
use super::{Chance, Scene};
use crate::api::Api;
use crate::exchange::{Reply, Request};

const ASK_AGAIN: Duration = Duration::from_millis(40);
/// Time between a dispatch and its start.
const NOTICE_S: i64 = 2;
const DURATION_S: i64 = 4;
const LONGER_S: i64 = 6;

/// A group and who commands it.
pub(crate) struct Operator {
    pub(crate) scene: Arc<Scene>,
    pub(crate) api: Api,
    pub(crate) number: usize,
    pub(crate) group: String,
    pub(crate) chance: Chance,
}

/// What is asked of a dispatch.
#[derive(Clone, Copy, Debug)]
enum Wish {
    Create(Terms, Let),
    Change(Terms),
    Adopt,
    Publish,
    Cancel,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Let {
    Out,
    Wait,
}

/// How a dispatch goes.
#[derive(Clone, Copy, Debug)]
enum Course {
    Plain,
    ChangedBefore,
    ExtendedMeanwhile,
    Cancelled,
    Adopted,
}

const COURSES: [Course; 5] = [
    Course::Plain,
    Course::ChangedBefore,
    Course::ExtendedMeanwhile,
    Course::Cancelled,
    Course::Adopted,
];

impl Operator {
    /// One dispatch after the other, each to its end, until the scene is over.
    pub(crate) async fn work(mut self) {
        let mut count = 0;
        while !self.scene.is_over() {
            count += 1;
            let mrid = format!("crash-{}-{count}", self.number);
            let course = COURSES[self.chance.below(COURSES.len())];
            self.dispatch(&mrid, course).await;
        }
    }

    async fn dispatch(&mut self, mrid: &str, course: Course) {
        let p_w = i64::try_from(500 + self.chance.below(1_000)).unwrap();
        let terms = Terms {
            p_w,
            duration_s: DURATION_S,
        };
        let start_s = clock::now().secs() + NOTICE_S;
        let out = match course {
            Course::Adopted => Let::Wait,
            _ => Let::Out,
        };
        if !self.ask((mrid, start_s), Wish::Create(terms, out)).await {
            return;
        }
        let dispatch = (mrid, start_s);
        match course {
            Course::Plain => {}
            Course::ChangedBefore => {
                let p_w = p_w - 300;
                self.ask(dispatch, Wish::Change(Terms { p_w, ..terms }))
                    .await;
            }
            Course::ExtendedMeanwhile => {
                wait_until(start_s + 1).await;
                let longer = Terms {
                    duration_s: LONGER_S,
                    ..terms
                };
                self.ask(dispatch, Wish::Change(longer)).await;
            }
            Course::Cancelled => {
                wait_until(start_s + 1).await;
                self.ask(dispatch, Wish::Cancel).await;
            }
            Course::Adopted => {
                self.ask(dispatch, Wish::Adopt).await;
                self.ask(dispatch, Wish::Publish).await;
            }
        }
        let end_s = self.scene.told().dispatches[mrid].end_s();
        wait_until(end_s + 1).await;
    }

    /// Asks until there is an answer; returns whether the dispatch is there.
    async fn ask(&mut self, (mrid, start_s): (&str, i64), wish: Wish) -> bool {
        let scene = Arc::clone(&self.scene);
        loop {
            let going = scene.going().await;
            wish.sent((mrid, start_s), &mut scene.told());
            scene.count_request();
            if let Ok(reply) = self.api.send(self.request((mrid, start_s), wish)).await
                && reply.status < 500
            {
                if reply.status < 300 {
                    wish.acknowledged(mrid, &mut scene.told());
                }
                if let Some(is_there) = self.look(mrid).await {
                    return is_there;
                }
            }
            drop(going);
            tokio::time::sleep(ASK_AGAIN).await;
        }
    }

    fn request(&self, (mrid, start_s): (&str, i64), wish: Wish) -> Request {
        let path = format!("/api/v1/dispatches/{mrid}");
        let schedule = |terms: Terms| {
            json!([{
                "start": Timestamp::from_second(start_s).unwrap().to_string(),
                "duration_s": terms.duration_s, "p_w": terms.p_w,
            }])
        };
        let (method, path, body) = match wish {
            Wish::Create(terms, out) => {
                let mut body = json!({
                    "mrid": mrid, "name": mrid, "group": self.group, "ramp_s": 1,
                    "schedule": schedule(terms),
                });
                if out == Let::Wait {
                    body["publish"] = json!("on_command");
                }
                ("POST", "/api/v1/dispatches".to_owned(), body)
            }
            Wish::Change(terms) => ("PATCH", path, json!({ "schedule": schedule(terms) })),
            Wish::Adopt => {
                let body = json!({ "objective": "fewest_devices", "generation": 1 });
                ("POST", path + "/plans", body)
            }
            Wish::Publish => ("POST", path + "/publish", Value::Null),
            Wish::Cancel => ("POST", path + "/cancel", Value::Null),
        };
        match body {
            Value::Null => Request::new(method, &path),
            body => Request::new(method, &path).body("application/json", body.to_string()),
        }
    }

    /// Looks what came of it. `None` without an answer.
    async fn look(&mut self, mrid: &str) -> Option<bool> {
        let show = Request::new("GET", &format!("/api/v1/dispatches/{mrid}"));
        let reply = self.api.send(show).await.ok()?;
        let seen = seen(mrid, &reply, &mut self.scene.told())?;
        match seen {
            Ok(is_there) => Some(is_there),
            Err(fault) => {
                self.scene.add(fault);
                Some(true)
            }
        }
    }
}

impl Wish {
    /// It is on its way, and may be carried out without an answer.
    fn sent(self, (mrid, start_s): (&str, i64), told: &mut Told) {
        if let Self::Create(terms, out) = self {
            let dispatch = ToldDispatch {
                start_s,
                possible: BTreeSet::from([terms]),
                created: Asked::Sent,
                published: match out {
                    Let::Out => Asked::Acknowledged,
                    Let::Wait => Asked::Never,
                },
                cancelled: Asked::Never,
            };
            told.dispatches.entry(mrid.to_owned()).or_insert(dispatch);
        }
        let dispatch = told.dispatches.get_mut(mrid).unwrap();
        match self {
            Self::Change(terms) => {
                dispatch.possible.insert(terms);
            }
            Self::Publish => dispatch.published = Asked::Sent,
            Self::Cancel => dispatch.cancelled = Asked::Sent,
            Self::Create(..) | Self::Adopt => {}
        }
    }

    fn acknowledged(self, mrid: &str, told: &mut Told) {
        let dispatch = told.dispatches.get_mut(mrid).unwrap();
        match self {
            Self::Create(..) => dispatch.created = Asked::Acknowledged,
            Self::Change(terms) => dispatch.possible = BTreeSet::from([terms]),
            Self::Adopt => {}
            Self::Publish => dispatch.published = Asked::Acknowledged,
            Self::Cancel => dispatch.cancelled = Asked::Acknowledged,
        }
    }
}

/// What is there now is what is known from here on: no request is under way. `None` without an
/// answer, else whether there is such a dispatch.
fn seen(mrid: &str, reply: &Reply, told: &mut Told) -> Option<Result<bool, Fault>> {
    let dispatch = told.dispatches.get_mut(mrid)?;
    if reply.status == 404 {
        if dispatch.created == Asked::Acknowledged {
            return Some(Err(Fault::Lost(format!("dispatch {mrid}, 404"))));
        }
        told.dispatches.remove(mrid);
        return Some(Ok(false));
    }
    if reply.status != 200 {
        return None;
    }
    let found = FoundDispatch::read(&reply.json());
    if !dispatch.possible.contains(&found.terms) {
        let what = format!("{:?} of dispatch {mrid}: {found:?}", dispatch.possible);
        return Some(Err(Fault::Lost(what)));
    }
    dispatch.created = Asked::Acknowledged;
    dispatch.possible = BTreeSet::from([found.terms]);
    if dispatch.cancelled == Asked::Sent && found.state == "cancelled" {
        dispatch.cancelled = Asked::Acknowledged;
    }
    Some(Ok(true))
}

async fn wait_until(at_s: i64) {
    while clock::now().secs() < at_s {
        tokio::time::sleep(ASK_AGAIN).await;
    }
}
