use super::*;

const LEAST: &str = r#"
[tunnel]
listen = "127.0.0.1:1"
cert_chain = "relay.chain.pem"
key = "/etc/relay.key.pem"
trust = "ca-chain.pem"

[[public]]
listen = "127.0.0.1:2"
default = "utility"

[[addressees]]
name = "utility"
lfdi = "3E4F45AB31EDFE5B67E343E5E4562E31984E23E5"
hosts = ["derms.example"]
"#;

/// A file with this text, in a folder that is there as long as the answer.
fn file(text: &str) -> (tempfile::TempDir, PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("relay.toml");
    std::fs::write(&path, text).unwrap();
    (folder, path)
}

fn refusal(text: &str) -> String {
    let (_folder, path) = file(text);
    RelayConfig::read(&path).unwrap_err().to_string()
}

#[test]
fn a_configuration_is_checked_key_by_key() {
    let (_folder, path) = file(LEAST);
    let config = RelayConfig::read(&path).unwrap();
    assert!(config.tunnel.trust.is_absolute());
    assert_eq!(config.tunnel.key, Path::new("/etc/relay.key.pem"));
    let replaced = |from: &str, to: &str| LEAST.replace(from, to);
    let another =
        "\n[[addressees]]\nname = \"n\"\nlfdi = \"3E4F45AB31EDFE5B67E343E5E4562E31984E23E5\"";
    let public = "\n[[public]]\nlisten = \"127.0.0.1:3\"";
    let hosts = format!("hosts = [{}]", "\"h\",".repeat(MAX_HOSTS + 1));
    for (key, text) in [
        ("addressees.lfdi", replaced("3E4F", "3E4")),
        (
            "public.default",
            replaced("default = \"utility\"", "default = \"nobody\""),
        ),
        (
            "addressees:",
            format!("{LEAST}{}", another.repeat(MAX_ADDRESSEES)),
        ),
        ("public:", format!("{LEAST}{}", public.repeat(MAX_PUBLIC))),
        (
            "addressees.hosts",
            replaced("hosts = [\"derms.example\"]", &hosts),
        ),
    ] {
        let refusal = refusal(&text);
        assert!(refusal.starts_with(key), "{key}: {refusal}");
    }
    assert!(refusal(&format!("colour = 1\n{LEAST}")).contains("colour"));
}
