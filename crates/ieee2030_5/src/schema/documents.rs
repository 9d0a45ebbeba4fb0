//! Every document through reader and writer, in every profile.

use super::{fresh_directory, name_of, schema_of, without_defaults};
use crate::codec::read::read;
use crate::codec::table::{Edition, Extension, Profile};
use crate::wire::registry::{AnyResource, Carried, DOCUMENTS, Kind, kind_of, write};
use crate::wire::subscription::Notification;

fn kinds_of(profile: Profile) -> Vec<&'static Kind> {
    let kinds = DOCUMENTS.iter();
    kinds
        .filter(|kind| kind.table.profiles.contains(profile))
        .collect()
}

fn file_of(kind: &Kind, what: &str) -> String {
    format!("{}.{what}.xml", kind.name().trim_start_matches("csipaus:"))
}

/// Made by the schema with all its elements, in disorder and in order, and with none but the
/// required ones, read by us, written by us, and judged by the schema again, which also compares what was said.
#[test]
fn every_document_survives_the_schema_in_every_profile() {
    for profile in Profile::ALL {
        let place = format!("schema/{}", name_of(profile));
        let made = fresh_directory(&format!("{place}/made"));
        let written = fresh_directory(&format!("{place}/written"));
        let kinds = kinds_of(profile);
        let names: Vec<&str> = kinds.iter().map(|kind| kind.name()).collect();
        schema_of(profile, "make", &made, &names);
        for kind in &kinds {
            for what in ["full", "plain", "minimal"] {
                let file = file_of(kind, what);
                let body = std::fs::read(made.join(&file)).unwrap();
                let again = kind.rewrite(&body, profile);
                let again = again.unwrap_or_else(|error| panic!("{profile:?} {file}: {error}"));
                std::fs::write(written.join(&file), again).unwrap();
            }
        }
        let verdict = schema_of(profile, "judge", &written, &[]);
        assert!(
            verdict.contains(&format!("judged {}", 3 * names.len())),
            "{verdict}"
        );
    }
}

/// Every document in a notification, but for the one that is no resource: the schema knows it by
/// its `xsi:type`, and so do we.
#[test]
fn a_notification_carries_every_document_in_every_profile() {
    for profile in Profile::ALL {
        let place = format!("schema/carried-{}", name_of(profile));
        let made = fresh_directory(&format!("{place}/made-by-schema"));
        let written = fresh_directory(&format!("{place}/written"));
        let mut kinds = kinds_of(profile);
        kinds.retain(|kind| kind.name() != "Error");
        let names: Vec<&str> = kinds.iter().map(|kind| kind.name()).collect();
        schema_of(profile, "make", &made, &names);
        for kind in &kinds {
            let file = file_of(kind, "full");
            let body = std::fs::read(made.join(&file)).unwrap();
            let resource: Box<dyn AnyResource> = kind.read(&body, profile).unwrap();
            let notification = Notification {
                subscribed_resource: "/a".into(),
                resource: Some(Carried::from(resource)),
                ..Notification::default()
            };
            let bytes = write(&notification, profile);
            assert_eq!(
                read(&bytes).as_ref(),
                Ok(&notification),
                "{profile:?} {kind:?}"
            );
            std::fs::write(written.join(&file), bytes).unwrap();
        }
        let verdict = schema_of(profile, "judge", &written, &[]);
        assert!(
            verdict.contains(&format!("judged {}", names.len())),
            "{verdict}"
        );
    }
}

/// Two other teams' types, made from the same standard, read what we write, and say it again. We
/// read what both say, and it is what we wrote where their types are whole: those of the reference
/// server of the Australian programme leave out what it does not serve. Neither package has an
/// example document to feed to our reader.
#[test]
fn what_we_write_is_read_by_others_and_said_again() {
    let csip_aus = Profile::new(Edition::Y2018, Extension::CsipAus12);
    for (command, profile, least) in [
        ("echo", Profile::default(), 120),
        ("echo", Profile::new(Edition::Y2023, Extension::None), 128),
        ("envoy", csip_aus, 60),
    ] {
        let place = format!("schema/{command}-{}", name_of(profile));
        let made = fresh_directory(&format!("{place}/made-by-schema"));
        let written = fresh_directory(&format!("{place}/written"));
        let echoed = fresh_directory(&format!("{place}/echoed"));
        let kinds = kinds_of(profile);
        let names: Vec<&str> = kinds.iter().map(|kind| kind.name()).collect();
        schema_of(profile, "make", &made, &names);
        for kind in &kinds {
            let file = file_of(kind, "plain");
            let body = std::fs::read(made.join(&file)).unwrap();
            let ours = kind.rewrite(&body, profile).unwrap();
            std::fs::write(written.join(&file), ours).unwrap();
        }
        let edition = match profile.edition {
            Edition::Y2018 => "2018",
            Edition::Y2023 => "2023",
        };
        schema_of(profile, command, &written, &[edition]);
        let mut compared = 0;
        for entry in std::fs::read_dir(&echoed).unwrap() {
            let theirs = entry.unwrap().path();
            let name = theirs.file_name().unwrap().to_str().unwrap().to_owned();
            let theirs = std::fs::read(theirs).unwrap();
            let kind = kind_of(&theirs).unwrap().unwrap();
            let ours = std::fs::read(written.join(file_of(kind, "plain"))).unwrap();
            let again = kind.rewrite(&theirs, profile);
            let again = again.unwrap_or_else(|error| panic!("{name}: {error}"));
            if command == "echo" {
                let [ours, again] = [ours, again].map(without_defaults);
                assert_eq!(ours, again, "{profile:?} {name}");
            }
            compared += 1;
        }
        assert!(compared >= least, "{command} {profile:?}: {compared}");
    }
}

/// What is kept in the fullest profile is as good as what came, in whatever profile it is asked for.
#[test]
fn nothing_is_lost_in_what_is_kept() {
    for profile in Profile::ALL {
        let made = fresh_directory(&format!("schema/kept-{}", name_of(profile)));
        let kinds = kinds_of(profile);
        let names: Vec<&str> = kinds.iter().map(|kind| kind.name()).collect();
        schema_of(profile, "make", &made, &names);
        for kind in kinds {
            let body = std::fs::read(made.join(file_of(kind, "full"))).unwrap();
            let came = kind.read(&body, profile).unwrap();
            let kept = write(&*came, Profile::EVERYTHING);
            let told = kind.read(&kept, profile).unwrap();
            assert!(told.equals(&*came), "{profile:?} {kind:?}");
        }
    }
}
