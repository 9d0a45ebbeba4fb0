//! Microgrids: DER behind one connection point that can leave the grid, what state they are in, what
//! they are permitted and what is to flow through the connection point.

mod view;

use std::time::Duration;

use axum::Json;
use axum::extract::{Path, State};
use fleet::dispatch::assess::World;
use fleet::microgrid::{
    Agreement, Exchange, Member, Microgrid, NewMicrogrid, NewPermit, Operation, Report,
    SchedulePoint,
};
use fleet::{
    AggregatorId, CimMrid, Client, Command, Fleet, MicrogridCommand, MicrogridId, Name, Note,
    PermitId,
};
use http::StatusCode;
use units::{Interval, Watts};

use crate::api::control_base::MAX_POWER;
use crate::api::page::{Direction, Page, PageQuery, Slice};
use crate::api::problem::Problem;
use crate::api::request::{Body, Named, Params};
use crate::api::settings_profile::author;
use crate::api::site::{limit, name as mrid_of};
use crate::api::value::Time;
use crate::api::{Api, assignment, der};
use crate::auth::Principal;

pub use view::{
    MicrogridController, MicrogridMember, MicrogridRequest, MicrogridSchedule,
    MicrogridSchedulePoint, MicrogridState, MicrogridView, PermitAction, PermitRequest, PermitView,
    StateReport, TransitionView,
};

/// List the microgrids, in order of creation.
#[utoipa::path(get, path = "/api/v1/microgrids", operation_id = "list_microgrids", tag = "microgrids", params(PageQuery),
    responses((status = 200, body = Page<MicrogridView>), (status = 422, body = Problem)))]
pub(super) async fn list(
    State(api): State<Api>,
    Params(query): Params<PageQuery>,
) -> Result<Json<Page<MicrogridView>>, Problem> {
    api.world(|world| {
        let all = world.fleet.microgrids().microgrids();
        let slice = Slice::cut(all, |(it, _)| it.id.0, Direction::Ascending, &query)?;
        Ok(Json(slice.render(|(it, does)| view(world, it, does))))
    })
}

/// Show one microgrid.
#[utoipa::path(get, path = "/api/v1/microgrids/{mrid}", operation_id = "show_microgrid", tag = "microgrids",
    params(("mrid" = String, Path, description = "IEC 61968 mRID")),
    responses((status = 200, body = MicrogridView), (status = 404, body = Problem)))]
pub(super) async fn show(
    State(api): State<Api>,
    Named(mrid): Named,
) -> Result<Json<MicrogridView>, Problem> {
    api.world(|world| {
        let (it, does) = find(world.fleet, &mrid)?;
        Ok(Json(view(world, it, does)))
    })
}

/// Put a microgrid. One that is off the grid keeps its members.
#[utoipa::path(put, path = "/api/v1/microgrids/{mrid}", operation_id = "put_microgrid", tag = "microgrids",
    params(("mrid" = String, Path, description = "IEC 61968 mRID")), request_body = MicrogridRequest,
    responses((status = 200, body = MicrogridView), (status = 409, body = Problem),
        (status = 422, body = Problem)))]
pub(super) async fn put(
    State(api): State<Api>,
    principal: Principal,
    Named(mrid): Named,
    Body(request): Body<MicrogridRequest>,
) -> Result<Json<MicrogridView>, Problem> {
    let new = api.world(|world| request.read(world.fleet, mrid_of(&mrid)?))?;
    let command = MicrogridCommand::Put(Box::new(new));
    api.command_one(&principal, Command::Microgrid(command))
        .await?;
    show(State(api), Named(mrid)).await
}

/// Take a microgrid out of service, while it is connected to the grid.
#[utoipa::path(delete, path = "/api/v1/microgrids/{mrid}", operation_id = "delete_microgrid", tag = "microgrids",
    params(("mrid" = String, Path, description = "IEC 61968 mRID")),
    responses((status = 204, description = "Out of service"), (status = 404, body = Problem),
        (status = 422, body = Problem)))]
pub(super) async fn delete(
    State(api): State<Api>,
    principal: Principal,
    Named(mrid): Named,
) -> Result<StatusCode, Problem> {
    command(&api, &principal, &mrid, MicrogridCommand::Remove).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Report the state that a microgrid is in.
#[utoipa::path(post, path = "/api/v1/microgrids/{mrid}/reports", operation_id = "report_microgrid", tag = "microgrids",
    params(("mrid" = String, Path, description = "IEC 61968 mRID")), request_body = StateReport,
    responses((status = 200, body = MicrogridView), (status = 404, body = Problem),
        (status = 409, body = Problem), (status = 422, body = Problem)))]
pub(super) async fn report(
    State(api): State<Api>,
    principal: Principal,
    Named(mrid): Named,
    Body(request): Body<StateReport>,
) -> Result<Json<MicrogridView>, Problem> {
    let report = Report {
        state: request.state.into(),
        at: api.world(|world| request.at.map_or(world.now, |Time(at)| at)),
        by: author(&principal)?,
        reason: reason(&request.reason)?,
        agreement: match request.agreed {
            true => Agreement::Given,
            false => Agreement::NotGiven,
        },
    };
    command(&api, &principal, &mrid, |id| {
        MicrogridCommand::Report(id, report)
    })
    .await?;
    show(State(api), Named(mrid)).await
}

/// Grant a microgrid a permit to leave the grid, or to come back.
#[utoipa::path(post, path = "/api/v1/microgrids/{mrid}/permits", operation_id = "grant_microgrid_permit", tag = "microgrids",
    params(("mrid" = String, Path, description = "IEC 61968 mRID")), request_body = PermitRequest,
    responses((status = 200, body = MicrogridView), (status = 404, body = Problem),
        (status = 409, body = Problem), (status = 422, body = Problem)))]
pub(super) async fn grant(
    State(api): State<Api>,
    principal: Principal,
    Named(mrid): Named,
    Body(request): Body<PermitRequest>,
) -> Result<Json<MicrogridView>, Problem> {
    let new = NewPermit {
        action: request.action.into(),
        window: Interval {
            start: request.start.0,
            duration: Duration::from_secs(request.duration_s.into()),
        },
        by: author(&principal)?,
        reason: reason(&request.reason)?,
    };
    command(&api, &principal, &mrid, |id| {
        MicrogridCommand::Grant(id, new)
    })
    .await?;
    show(State(api), Named(mrid)).await
}

/// Revoke a permit of a microgrid.
#[utoipa::path(delete, path = "/api/v1/microgrids/{mrid}/permits/{id}", operation_id = "revoke_microgrid_permit", tag = "microgrids",
    params(("mrid" = String, Path, description = "IEC 61968 mRID"),
        ("id" = u32, Path, description = "Number of the permit")),
    responses((status = 204, description = "Revoked"), (status = 404, body = Problem)))]
pub(super) async fn revoke(
    State(api): State<Api>,
    principal: Principal,
    Path((mrid, id)): Path<(String, String)>,
) -> Result<StatusCode, Problem> {
    let permit = api.world(|world| {
        let (_, does) = find(world.fleet, &mrid)?;
        let number = id.parse().ok().map(PermitId);
        let found = does.permits.iter().find(|it| Some(it.id) == number);
        let found = found.ok_or_else(|| Problem::not_found("permit", &id))?;
        Ok::<_, Problem>(found.id)
    })?;
    let by = author(&principal)?;
    command(&api, &principal, &mrid, |id| {
        MicrogridCommand::Revoke(id, permit, by)
    })
    .await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Show what is to flow through the connection point of a microgrid.
#[utoipa::path(get, path = "/api/v1/microgrids/{mrid}/schedule", operation_id = "show_microgrid_schedule", tag = "microgrids",
    params(("mrid" = String, Path, description = "IEC 61968 mRID")),
    responses((status = 200, body = MicrogridSchedule), (status = 404, body = Problem)))]
pub(super) async fn schedule(
    State(api): State<Api>,
    Named(mrid): Named,
) -> Result<Json<MicrogridSchedule>, Problem> {
    api.world(|world| {
        let (_, does) = find(world.fleet, &mrid)?;
        let points = does.schedule.iter().map(MicrogridSchedulePoint::of);
        Ok(Json(MicrogridSchedule {
            points: points.collect(),
        }))
    })
}

/// Set what is to flow through the connection point of a microgrid; it replaces what was set.
#[utoipa::path(put, path = "/api/v1/microgrids/{mrid}/schedule", operation_id = "set_microgrid_schedule", tag = "microgrids",
    params(("mrid" = String, Path, description = "IEC 61968 mRID")), request_body = MicrogridSchedule,
    responses((status = 200, body = MicrogridSchedule), (status = 404, body = Problem),
        (status = 409, body = Problem), (status = 422, body = Problem)))]
pub(super) async fn set_schedule(
    State(api): State<Api>,
    principal: Principal,
    Named(mrid): Named,
    Body(request): Body<MicrogridSchedule>,
) -> Result<Json<MicrogridSchedule>, Problem> {
    let points = request.points.iter().enumerate().map(|(index, point)| {
        let read = point.read();
        read.map_err(|problem| problem.under(&format!("points[{index}]")))
    });
    let points = points.collect::<Result<Vec<_>, _>>()?;
    command(&api, &principal, &mrid, |id| {
        MicrogridCommand::SetSchedule(id, points)
    })
    .await?;
    schedule(State(api), Named(mrid)).await
}

/// The microgrid with this mRID.
pub(super) fn find<'a>(
    fleet: &'a Fleet,
    mrid: &str,
) -> Result<(&'a Microgrid, &'a Operation), Problem> {
    let known = CimMrid::new(mrid).ok();
    let found = known.and_then(|mrid| fleet.microgrids().by_mrid(&mrid));
    found.ok_or_else(|| Problem::not_found("microgrid", mrid))
}

async fn command(
    api: &Api,
    principal: &Principal,
    mrid: &str,
    make: impl FnOnce(MicrogridId) -> MicrogridCommand,
) -> Result<(), Problem> {
    let id = api.world(|world| find(world.fleet, mrid).map(|(it, _)| it.id))?;
    api.command_one(principal, Command::Microgrid(make(id)))
        .await?;
    Ok(())
}

fn reason(given: &str) -> Result<Note, Problem> {
    Note::new(given).map_err(|error| Problem::field("reason", error.to_string()))
}

impl MicrogridRequest {
    fn read(&self, fleet: &Fleet, mrid: CimMrid) -> Result<NewMicrogrid, Problem> {
        let node = self.assignment.as_deref().map(|node| {
            let found = assignment::find(fleet, node).map(|node| node.id);
            found.map_err(|_| Problem::field("assignment", "is no assignment's mRID"))
        });
        let controller = self.controller.as_ref().map(|given| match given {
            MicrogridController::Der(mrid) => {
                let found = der::find(fleet, mrid).map(|der| Client::Der(der.id));
                found.map_err(|_| Problem::field("controller.der", "is no DER's mRID"))
            }
            MicrogridController::Aggregator(id) => Ok(Client::Aggregator(AggregatorId(*id))),
        });
        let members = self.members.iter().enumerate().map(|(index, member)| {
            let found = der::find(fleet, &member.der);
            let field = || format!("members[{index}].der");
            let found = found.map_err(|_| Problem::field(field(), "is no DER's mRID"))?;
            Ok::<_, Problem>(Member {
                der: found.id,
                grid_forming: member.grid_forming,
                black_start: member.black_start,
            })
        });
        let name = Name::new(&self.name);
        Ok(NewMicrogrid {
            mrid,
            name: name.map_err(|error| Problem::field("name", error.to_string()))?,
            assignment: node.transpose()?,
            import_max: limit("import_max_w", self.import_max_w)?,
            export_max: limit("export_max_w", self.export_max_w)?,
            controller: controller.transpose()?,
            members: members.collect::<Result<_, _>>()?,
        })
    }
}

impl MicrogridSchedulePoint {
    fn read(&self) -> Result<SchedulePoint, Problem> {
        let import_max = limit("import_max_w", self.import_max_w)?;
        let export_max = limit("export_max_w", self.export_max_w)?;
        let tolerance = limit("tolerance_w", self.tolerance_w)?;
        let exchange = match self.net_w {
            Some(net_w) if import_max.is_none() && export_max.is_none() => {
                if !(-MAX_POWER..=MAX_POWER).contains(&net_w) {
                    let rule = format!("must be {} to {MAX_POWER}", -MAX_POWER);
                    return Err(Problem::field("net_w", rule));
                }
                Exchange::Net {
                    p: Watts::from_f64(net_w),
                    tolerance: tolerance.unwrap_or_default(),
                }
            }
            None if tolerance.is_none() => Exchange::Limits {
                import_max,
                export_max,
            },
            _ => {
                let rule = "goes with tolerance_w, and not with limits";
                return Err(Problem::field("net_w", rule));
            }
        };
        Ok(SchedulePoint {
            interval: Interval {
                start: self.start.0,
                duration: Duration::from_secs(self.duration_s.into()),
            },
            exchange,
        })
    }

    fn of(point: &SchedulePoint) -> Self {
        let w = |limit: Option<Watts>| limit.map(Watts::as_f64);
        let (net, limits) = match point.exchange {
            Exchange::Net { p, tolerance } => ((Some(p), Some(tolerance)), (None, None)),
            Exchange::Limits {
                import_max,
                export_max,
            } => ((None, None), (import_max, export_max)),
        };
        Self {
            start: point.interval.start.into(),
            duration_s: u32::try_from(point.interval.duration.as_secs()).unwrap_or(u32::MAX),
            net_w: w(net.0),
            tolerance_w: w(net.1),
            import_max_w: w(limits.0),
            export_max_w: w(limits.1),
        }
    }
}

fn view(world: &World<'_>, it: &Microgrid, does: &Operation) -> MicrogridView {
    let node = it.assignment.and_then(|node| world.fleet.assignment(node));
    let mrid = |der| world.fleet.der(der).map(|der| der.mrid.to_string());
    let members = it.members.iter().filter_map(|member| {
        Some(MicrogridMember {
            der: mrid(member.der)?,
            grid_forming: member.grid_forming,
            black_start: member.black_start,
        })
    });
    let heard = it.members.iter().filter(|m| world.is_reachable(m.der));
    let p = heard.filter_map(|member| world.observation(member.der).p);
    let current = does.current();
    MicrogridView {
        mrid: it.mrid.to_string(),
        name: it.name.to_string(),
        assignment: node.map(|node| node.mrid.to_string()),
        import_max_w: it.import_max.map(Watts::as_f64),
        export_max_w: it.export_max.map(Watts::as_f64),
        controller: it.controller.and_then(|client| match client {
            Client::Der(der) => mrid(der).map(MicrogridController::Der),
            Client::Aggregator(id) => Some(MicrogridController::Aggregator(id.0)),
        }),
        members: members.collect(),
        state: current.to.into(),
        since: current.at.into(),
        is_unplanned: does.is_unplanned(world.now),
        p_w: p.map(|reading| reading.value).sum::<Watts>().as_f64(),
        transitions: does.transitions.iter().map(Into::into).collect(),
        permits: does.permits.iter().map(Into::into).collect(),
        schedule_points_count: does.schedule.len(),
    }
}
