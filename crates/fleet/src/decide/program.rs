//! Programmes, their curves and default controls.

use units::Timestamp;

use super::invalid;
use crate::state::MridKind;
use crate::{
    Control, ControlBase, Curve, CurveId, CurveShape, DefaultControl, Event, Fleet, NewCurve,
    NewProgram, Program, ProgramChange, ProgramId, Rejection, Role, Scope, Setting,
};

impl Fleet {
    pub(super) fn create_program(&self, new: &NewProgram) -> Result<Vec<Event>, Rejection> {
        match new.scope {
            Scope::Device(der) => _ = self.known(der)?,
            Scope::Assignment(node) => _ = self.known_assignment(node)?,
            Scope::All => {}
        }
        self.check_room_for_program(new.scope)?;
        Ok(vec![Event::ProgramCreated(self.new_program(new))])
    }

    pub(super) fn check_room_for_program(&self, scope: Scope) -> Result<(), Rejection> {
        let max = Self::MAX_PROGRAMS_OF_SCOPE;
        match self.programs_of_scope(scope).count() < max {
            true => Ok(()),
            false => Err(Rejection::TooMany {
                what: "programmes of one scope",
                max,
            }),
        }
    }

    pub(super) fn new_program(&self, new: &NewProgram) -> Program {
        let id = ProgramId::from(self.programs.len());
        Program {
            id,
            mrid: self.identity.mrid(MridKind::Program, id.0),
            name: new.name.clone(),
            primacy: new.primacy,
            scope: new.scope,
            role: Role::General,
            default: DefaultControl::default(),
            removed: None,
        }
    }

    pub(super) fn change_program(
        &self,
        id: ProgramId,
        change: &ProgramChange,
    ) -> Result<Vec<Event>, Rejection> {
        let program = self.known_program(id)?;
        let changed = Program {
            name: change.name.clone().unwrap_or_else(|| program.name.clone()),
            primacy: change.primacy.unwrap_or(program.primacy),
            ..program.clone()
        };
        if changed == *program {
            return Ok(Vec::new());
        }
        Ok(vec![Event::ProgramChanged(changed)])
    }

    pub(super) fn delete_program(
        &self,
        id: ProgramId,
        now: Timestamp,
    ) -> Result<Vec<Event>, Rejection> {
        let program = self.known_program(id)?;
        if let Scope::Device(der) = program.scope
            && self.der(der).is_some_and(|der| der.program == id)
        {
            return Err(invalid("program", "carries the dispatch shares of its DER"));
        }
        let open = self.open_controls_of(program, now);
        let mut events: Vec<Event> = open.map(|c| Event::ControlCancelled(c.id, now)).collect();
        events.push(Event::ProgramChanged(Program {
            removed: Some(now),
            ..program.clone()
        }));
        Ok(events)
    }

    /// The controls under `program` that are neither withdrawn nor over, for single DER and for all.
    fn open_controls_of<'a>(
        &'a self,
        program: &'a Program,
        now: Timestamp,
    ) -> impl Iterator<Item = &'a Control> {
        let own = match program.scope {
            Scope::Device(der) => Some(self.own_controls_of(der)),
            _ => None,
        };
        let own = own.into_iter().flatten();
        let single = own.filter(|control| control.program == program.id);
        let single = single.chain(self.single_controls_of(program.id));
        single
            .chain(self.shared_controls_of(program.id))
            .filter(move |c| c.cancelled.is_none() && now < c.interval.end())
    }

    /// The default control that is in force already is no event.
    pub(super) fn set_default(
        &self,
        id: ProgramId,
        default: &DefaultControl,
        now: Timestamp,
    ) -> Result<Vec<Event>, Rejection> {
        let program = self.known_program(id)?;
        self.check_base(id, &default.base)?;
        if program.default.asks_as(default) {
            return Ok(Vec::new());
        }
        Ok(vec![Event::ProgramChanged(Program {
            default: DefaultControl {
                set: now,
                ..default.clone()
            },
            ..program.clone()
        })])
    }

    pub(super) fn create_curve(
        &self,
        new: &NewCurve,
        now: Timestamp,
    ) -> Result<Vec<Event>, Rejection> {
        self.known_program(new.program)?;
        check_shape(&new.shape)?;
        if self.curves_of(new.program).count() >= Self::MAX_CURVES_OF_PROGRAM {
            let max = Self::MAX_CURVES_OF_PROGRAM;
            return Err(Rejection::TooMany {
                what: "curves of one programme",
                max,
            });
        }
        let id = CurveId::from(self.curves.len());
        Ok(vec![Event::CurveCreated(Curve {
            id,
            mrid: self.identity.mrid(MridKind::Curve, id.0),
            program: new.program,
            name: new.name.clone(),
            created: now,
            removed: None,
            shape: new.shape.clone(),
        })])
    }

    pub(super) fn delete_curve(
        &self,
        id: CurveId,
        now: Timestamp,
    ) -> Result<Vec<Event>, Rejection> {
        let curve = self.known_curve(id)?;
        let refers = |base: &ControlBase| {
            let mut settings = base.settings().iter();
            settings.any(|setting| matches!(setting, Setting::Curve(_, used) if *used == id))
        };
        let program = self.known_program(curve.program)?;
        let mut open = self.open_controls_of(program, now);
        let in_use = refers(&program.default.base) || open.any(|control| refers(&control.base));
        if in_use {
            return Err(invalid(
                "curve",
                "is in use by a control or a default control",
            ));
        }
        Ok(vec![Event::CurveRemoved(id, now)])
    }

    /// The rules that every base keeps: values within the wire's bounds, curves of this programme.
    pub(super) fn check_base(
        &self,
        program: ProgramId,
        base: &ControlBase,
    ) -> Result<(), Rejection> {
        for setting in base.settings() {
            match setting {
                Setting::Curve(kind, id) => {
                    let curve = self.known_curve(*id)?;
                    if curve.program != program || curve.shape.kind != *kind {
                        let rule = "is of this programme and of the type it is used for";
                        return Err(invalid("curve", rule));
                    }
                }
                Setting::FixedW(share) => check_share("opModFixedW", share, -10_000)?,
                Setting::MaxLimW(share) => check_share("opModMaxLimW", share, 0)?,
                Setting::ImpLimW(limit)
                | Setting::ExpLimW(limit)
                | Setting::GenLimW(limit)
                | Setting::LoadLimW(limit)
                    if limit.value < 0 =>
                {
                    return Err(invalid("limit", "is a magnitude, not negative"));
                }
                _ => {}
            }
        }
        Ok(())
    }

    pub(super) fn known_curve(&self, id: CurveId) -> Result<&Curve, Rejection> {
        let curve = self.curve(id).filter(|curve| curve.removed.is_none());
        curve.ok_or_else(|| Rejection::Unknown {
            what: "curve",
            id: id.to_string(),
        })
    }

    pub(super) fn known_program(&self, id: ProgramId) -> Result<&Program, Rejection> {
        let program = self.program(id).filter(|program| program.removed.is_none());
        program.ok_or_else(|| Rejection::Unknown {
            what: "programme",
            id: id.to_string(),
        })
    }
}

fn check_share(field: &'static str, share: &crate::Share, least: i32) -> Result<(), Rejection> {
    if (least..=10_000).contains(&share.percent.hundredths()) {
        return Ok(());
    }
    Err(invalid(field, "is a share of at most 100 %"))
}

fn check_shape(shape: &CurveShape) -> Result<(), Rejection> {
    let points = shape.points.len();
    if points == 0 || points > CurveShape::MAX_POINTS {
        return Err(invalid("CurveData", "has 1 to 10 points"));
    }
    if !shape.points.is_sorted_by_key(|point| point.x) {
        return Err(invalid(
            "CurveData",
            "has points in ascending order of xvalue",
        ));
    }
    Ok(())
}
