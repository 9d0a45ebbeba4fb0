//! The API as its users see it: requests into the router, over a node in memory.

mod alarms;
mod approvals;
mod bad_input;
mod changes;
mod default_control;
mod deliveries;
mod dispatching;
mod explanation;
mod flexibility;
mod groups;
mod history;
mod imports;
mod microgrids;
mod persons;
mod places;
mod programs;
mod served;
mod sessions;
mod settings;
mod strategies;
mod streaming;
mod world;

use expect_test::expect_file;

#[test]
fn the_committed_openapi_document_is_current() {
    expect_file!["../../../../console/openapi.json"].assert_eq(&super::openapi());
}
