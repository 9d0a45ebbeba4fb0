use crate::codec::read::read;
use crate::codec::simple::SignedPerCent;
use crate::codec::table::{Edition, Extension, Profile};
use crate::codec::write::write;
use crate::wire::control_mode::Mode;
use crate::wire::der_control::DerControlBase;
use crate::wire::link::Link;

#[test]
fn only_the_edition_of_2023_hears_that_a_mode_is_disabled() {
    let base = DerControlBase {
        op_mod_fixed_w: Some(Mode {
            disabled: true,
            value: SignedPerCent(-5_000),
        }),
        op_mod_volt_var: Some(Mode {
            disabled: true,
            value: Link::to("/dc/1"),
        }),
        ..DerControlBase::default()
    };
    let written = |edition| {
        let profile = Profile::new(edition, Extension::None);
        write(&base, profile)
    };
    assert_eq!(read(&written(Edition::Y2023)), Ok(base.clone()));
    let text = String::from_utf8(written(Edition::Y2023)).unwrap();
    assert!(text.contains("<opModFixedW disabled=\"true\">-5000</opModFixedW>"));
    assert!(text.contains("<opModVoltVar disabled=\"true\" href=\"/dc/1\"/>"));
    let older: DerControlBase = read(&written(Edition::Y2018)).unwrap();
    assert_eq!(older.op_mod_fixed_w, Some(Mode::of(SignedPerCent(-5_000))));
    assert_eq!(older.op_mod_volt_var, Some(Mode::of(Link::to("/dc/1"))));
}
