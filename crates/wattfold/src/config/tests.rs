use fleet::{CimMrid, Command, DerKind, Lfdi, NewDer, Pin};
use units::Timestamp;

use super::*;

const LEAST: &str = "enterprise = { listen = \"127.0.0.1:8080\" }\n";
const DEVICES: &str = "[ieee2030_5]\nlisten = \"127.0.0.1:8443\"\ncert_chain = \"pki/chain.pem\"\n\
                       key = \"/etc/key.pem\"\ntrust = \"pki/trust.pem\"\n";

/// Reads `text` as the file `wattfold.toml` of a folder of its own, named after `test`.
fn read(test: &str, text: &str) -> (PathBuf, Result<Config, ConfigError>) {
    let folder =
        std::env::temp_dir().join(format!("wattfold-config-{}-{test}", std::process::id()));
    std::fs::create_dir_all(&folder).unwrap();
    let path = folder.join("wattfold.toml");
    std::fs::write(&path, text).unwrap();
    let config = Config::read(&path);
    std::fs::remove_dir_all(&folder).unwrap();
    (folder, config)
}

fn refusal(test: &str, text: &str) -> String {
    read(test, text).1.unwrap_err().to_string()
}

fn limit(fields: &str) -> String {
    format!("{LEAST}[[limits]]\n{fields}\n")
}

#[test]
fn a_file_that_is_not_there_is_named() {
    let error = Config::read(Path::new("/nowhere/wattfold.toml")).unwrap_err();
    assert_eq!(error.to_string(), "cannot read /nowhere/wattfold.toml");
}

#[test]
fn an_unknown_key_is_refused_with_its_name_and_file() {
    for (index, text) in [
        format!("{LEAST}colour = 1\n"),
        format!("{LEAST}[control]\ncolour = 1\n"),
        format!("{LEAST}[telemetry]\ncolour = 1\n"),
        format!("{LEAST}{DEVICES}colour = 1\n"),
        format!("{LEAST}[iec61968_5.peers.dms]\ncolour = 1\n"),
        limit("name = \"a\"\nmax_export_w = 1.0\ncolour = 1"),
    ]
    .iter()
    .enumerate()
    {
        let refusal = refusal(&format!("unknown{index}"), text);
        assert!(refusal.contains("colour"), "{refusal}");
        assert!(refusal.contains("wattfold.toml"), "{refusal}");
    }
}

#[test]
fn relative_paths_are_taken_from_the_folder_of_the_file() {
    let text = format!(
        "[enterprise]\nlisten = \"127.0.0.1:8080\"\ntls_cert = \"web.pem\"\n\
         tls_key = \"/etc/web.key\"\nclient_ca = \"ca.pem\"\n{DEVICES}"
    );
    let (folder, config) = read("paths", &text);
    let config = config.unwrap();
    assert_eq!(config.enterprise.tls_cert, Some(folder.join("web.pem")));
    assert_eq!(config.enterprise.tls_key, Some("/etc/web.key".into()));
    assert_eq!(config.enterprise.client_ca, Some(folder.join("ca.pem")));
    let devices = config.ieee2030_5.unwrap();
    assert_eq!(devices.cert_chain, folder.join("pki/chain.pem"));
    assert_eq!(devices.key, Path::new("/etc/key.pem"));
    assert_eq!(devices.trust, folder.join("pki/trust.pem"));
}

#[test]
fn what_the_file_leaves_out_has_a_default_that_passes_every_check() {
    let (_, config) = read("least", &format!("{LEAST}{DEVICES}"));
    let config = config.unwrap();
    assert_eq!(config.control.tick_ms, Control::default().tick_ms);
    assert!(config.limits.is_empty());
}

#[test]
fn each_rule_is_checked_and_names_its_key() {
    let web = "enterprise = { listen = \"127.0.0.1:8080\", ";
    let control = |setting: &str| format!("{LEAST}[control]\n{setting}\n");
    let devices = |setting: &str| format!("{}{DEVICES}", control(setting));
    let telemetry = |setting: &str| format!("{LEAST}[telemetry]\n{setting}\n");
    let cases = [
        ("enterprise.tls_cert", format!("{web}tls_cert = \"a\" }}")),
        ("enterprise.tls_cert", format!("{web}tls_key = \"a\" }}")),
        ("enterprise.client_ca", format!("{web}client_ca = \"a\" }}")),
        ("control.tick_ms", control("tick_ms = 49")),
        ("control.tick_ms", control("tick_ms = 60001")),
        ("control.tolerance_pct", control("tolerance_pct = 0.09")),
        ("control.tolerance_pct", control("tolerance_pct = 50.1")),
        ("control.tolerance_pct", control("tolerance_pct = nan")),
        ("control.silent_after_s", control("silent_after_s = 0")),
        ("control.silent_after_s", devices("silent_after_s = 1199")),
        ("control.lead_s", devices("lead_s = 599")),
        ("telemetry.retention_days", telemetry("retention_days = 0")),
        ("telemetry.minute_days", telemetry("minute_days = 36601")),
        ("telemetry.hour_days", telemetry("hour_days = 0")),
    ];
    for (index, (key, text)) in cases.iter().enumerate() {
        let refusal = refusal(&format!("rule{index}"), text);
        assert!(refusal.starts_with(key), "{key}: {refusal}");
    }
}

#[test]
fn rollups_are_kept_as_long_as_what_is_finer() {
    let days = |text: &str| {
        let (_, config) = read("retention", &format!("{LEAST}[telemetry]\n{text}\n"));
        let retention = config.unwrap().telemetry.retention();
        let [minute, quarter_hour, hour] = retention.rollups;
        [retention.samples, minute, quarter_hour, hour].map(|time| time.as_secs() / 86_400)
    };
    assert_eq!(days(""), [400, 800, 1_830, 3_660]);
    assert_eq!(days("retention_days = 2000"), [2_000, 2_000, 2_000, 3_660]);
    let own = "retention_days = 1\nminute_days = 2\nquarter_hour_days = 3\nhour_days = 4";
    assert_eq!(days(own), [1, 2, 3, 4]);
}

#[test]
fn a_limit_bounds_something_by_a_magnitude() {
    for (index, fields) in [
        "name = \"a\"",
        "name = \"a\"\nmax_export_w = -1.0",
        "name = \"a\"\nmax_import_w = inf",
        "name = \"a\"\nmax_import_w = nan",
        "name = \"\"\nmax_export_w = 1.0",
        "name = \"a\"\nmax_export_w = 1.0\nders = \"some\"",
    ]
    .iter()
    .enumerate()
    {
        let refusal = refusal(&format!("limit{index}"), &limit(fields));
        assert!(refusal.starts_with("limits"), "{fields}: {refusal}");
    }
}

#[test]
fn a_limit_has_room_for_its_direction_in_its_name() {
    let fields =
        |letters: usize, key: &str| format!("name = \"{}\"\n{key} = 1.0", "n".repeat(letters));
    let fits = limit(&fields(57, "max_export_w"));
    let (_, config) = read("fits", &fits);
    assert_eq!(config.unwrap().limits[0].rows(&fleet(&[])).len(), 1);
    for key in ["max_export_w", "max_import_w"] {
        let refusal = refusal(&format!("long-{key}"), &limit(&fields(58, key)));
        assert!(refusal.starts_with("limits: nnn"), "{refusal}");
    }
}

#[test]
fn limits_are_at_most_max_limits() {
    let limits = |count: usize| {
        let rows = (0..count).map(|n| format!("[[limits]]\nname = \"{n}\"\nmax_export_w = 1.0\n"));
        format!("{LEAST}{}", rows.collect::<String>())
    };
    let (_, config) = read("most", &limits(MAX_LIMITS));
    assert_eq!(config.unwrap().limits.len(), MAX_LIMITS);
    let refusal = refusal("more", &limits(MAX_LIMITS + 1));
    assert_eq!(refusal, "limits: are at most 32");
}

#[test]
fn addresses_and_tunnels_of_the_device_listener_are_bounded() {
    let one = "\"127.0.0.1:8443\"";
    let listening = |count: usize| {
        let list = format!("listen = [{}]", vec![one; count].join(", "));
        let devices = DEVICES.replace(&format!("listen = {one}"), &list);
        format!("{LEAST}{devices}")
    };
    let (_, config) = read("addresses", &listening(MAX_ADDRESSES));
    assert_eq!(
        config.unwrap().ieee2030_5.unwrap().listen.len(),
        MAX_ADDRESSES
    );
    for count in [0, MAX_ADDRESSES + 1] {
        let refusal = refusal("more-addresses", &listening(count));
        assert!(refusal.contains("1 to 16 of them"), "{refusal}");
    }
    let tunnels = |count: usize| {
        let list = vec!["{ relay = \"relay.example:8444\" }"; count].join(", ");
        format!("{LEAST}{DEVICES}tunnels = [{list}]\n")
    };
    let (_, config) = read("tunnels", &tunnels(MAX_TUNNELS));
    assert_eq!(
        config.unwrap().ieee2030_5.unwrap().tunnels.len(),
        MAX_TUNNELS
    );
    let refusal = refusal("more-tunnels", &tunnels(MAX_TUNNELS + 1));
    assert_eq!(refusal, "ieee2030_5.tunnels: are at most 8");
}

#[test]
fn ders_are_all_or_a_list_of_names() {
    let bound = "name = \"street\"\nmax_export_w = 9000.5\nmax_import_w = 4000.0";
    let of = |test: &str, ders: &str| {
        let (_, config) = read(test, &limit(&format!("{bound}\n{ders}")));
        config.unwrap().limits.remove(0)
    };
    let fleet = fleet(&["a", "b", "c"]);
    let ids = |limit: &Limit| -> Vec<Vec<u32>> {
        let rows = limit.rows(&fleet);
        rows.iter()
            .map(|row| row.terms.iter().map(|(id, _)| id.0).collect())
            .collect()
    };
    for limit in [of("absent", ""), of("all", "ders = \"all\"")] {
        assert_eq!(ids(&limit), [[0, 1, 2], [0, 1, 2]]);
        assert!(limit.unknown(&fleet).is_empty());
    }
    let some = of("list", "ders = [\"c\", \"a\", \"x\", \"c\"]");
    assert_eq!(ids(&some), [[0, 2], [0, 2]]);
    assert_eq!(some.unknown(&fleet), ["x"]);
    let rows = some.rows(&fleet);
    let said = rows
        .iter()
        .map(|row| (row.name.as_str(), row.terms[0].1, row.max));
    let export = ("street export", 1.0, Watts::from_f64(9_000.5));
    let import = ("street import", -1.0, Watts::whole(4_000));
    assert_eq!(said.collect::<Vec<_>>(), [export, import]);
}

fn fleet(names: &[&str]) -> Fleet {
    let mut fleet = Fleet::default();
    for (n, name) in (0_u8..).zip(names) {
        let new = NewDer {
            mrid: CimMrid::new(name).unwrap(),
            name: Name::new(name).unwrap(),
            kind: DerKind::Storage,
            lfdi: Lfdi([n; 20]),
            pin: Pin::with_check_digit(11_111),
            registered: true,
            reserve: Percent::default(),
            manager: None,
            assignments: Vec::new(),
        };
        let events = fleet.decide(&Command::EnrolDer(new), Timestamp::default());
        events.unwrap().iter().for_each(|event| fleet.apply(event));
    }
    fleet
}
