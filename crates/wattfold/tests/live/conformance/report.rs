//! The report of a run.

use std::fmt::Write as _;

use super::procedure::Verdict;

/// As Markdown, without the revision, which `cargo xtask conformance` adds.
pub(crate) fn report(verdicts: &[Verdict]) -> String {
    let mut text = String::new();
    let passed = verdicts.iter().filter(|v| v.is_as_it_should_be()).count();
    writeln!(text, "{passed} of {} procedures pass.\n", verdicts.len()).unwrap();
    writeln!(
        text,
        "| procedure | result | schema errors | warnings | time |"
    )
    .unwrap();
    writeln!(text, "|---|---|---|---|---|").unwrap();
    for verdict in verdicts {
        let result = match (verdict.passed, verdict.is_as_it_should_be(), verdict.strict) {
            (true, true, true) => "pass, strict",
            (true, true, false) => "pass",
            (true, false, _) => "pass with warnings",
            (false, ..) => "**fail**",
        };
        let marks = match (verdict.strict, verdict.compressed) {
            (false, _) => " ¹",
            (_, true) => " ²",
            _ => "",
        };
        let (errors, warnings) = (verdict.schema_errors.len(), verdict.warnings.len());
        let took = verdict.took.as_secs();
        let name = &verdict.name;
        writeln!(
            text,
            "| {name}{marks} | {result} | {errors} | {warnings} | {took} s |"
        )
        .unwrap();
    }
    let wrong = verdicts.iter().filter(|v| !v.is_as_it_should_be());
    for verdict in wrong {
        writeln!(text, "\n```\n{verdict}\n```").unwrap();
    }
    text
}
