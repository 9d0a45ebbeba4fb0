use http::{HeaderValue, Request};

use super::*;

const NOW: Timestamp = Timestamp::from_secs(1_000_000);
const HERE: Option<IpAddr> = Some(IpAddr::V4(std::net::Ipv4Addr::LOCALHOST));

fn auth() -> (Auth, String) {
    let (NewAccount { name, hash }, password) = first_account();
    (
        Auth::new([Account {
            id: AccountId(1),
            name,
            hash,
        }]),
        password,
    )
}

async fn ask(
    auth: &Auth,
    method: Method,
    headers: &[(&str, &str)],
) -> Result<Principal, AuthError> {
    let mut request = Request::builder().method(method);
    for (name, value) in headers {
        request = request.header(*name, HeaderValue::from_str(value).unwrap());
    }
    let request = request.body(()).unwrap();
    let presented = Presented {
        method: request.method(),
        headers: request.headers(),
        from: HERE,
    };
    auth.authenticate(&presented, NOW).await
}

fn basic_header(name: &str, password: &str) -> String {
    format!("Basic {}", STANDARD.encode(format!("{name}:{password}")))
}

#[tokio::test]
async fn basic_credentials_are_verified_and_then_remembered() {
    let (auth, password) = auth();
    for _ in 0..2 {
        let principal = ask(
            &auth,
            Method::POST,
            &[("authorization", &basic_header("admin", &password))],
        )
        .await;
        assert_eq!(principal.unwrap().name, "admin");
    }
    assert!(lock(&auth.verified).knows("admin", &password, NOW));
}

#[tokio::test]
async fn what_is_no_credential_is_refused() {
    let (auth, password) = auth();
    let long = basic_header("admin", &"x".repeat(2 * MAX_CREDENTIAL_BYTES));
    let unknown = basic_header("eve", &password);
    for (bad, expected) in [
        ("Basic", AuthError::Wrong),
        ("Basic !!!", AuthError::Wrong),
        ("Basic YWRtaW4=", AuthError::Wrong),
        ("Bearer abc", AuthError::Wrong),
        (long.as_str(), AuthError::Wrong),
        (unknown.as_str(), AuthError::Wrong),
    ] {
        let refused = ask(&auth, Method::GET, &[("authorization", bad)]).await;
        assert_eq!(refused, Err(expected), "{bad}");
    }
    assert_eq!(ask(&auth, Method::GET, &[]).await, Err(AuthError::Missing));
    let stale = format!("{SESSION_COOKIE}=abc");
    assert_eq!(
        ask(&auth, Method::GET, &[("cookie", &stale)]).await,
        Err(AuthError::Missing)
    );
}

#[tokio::test]
async fn a_session_lasts_until_it_is_ended() {
    let (auth, password) = auth();
    let session = auth.log_in("admin", &password, HERE, NOW).await.unwrap();
    let cookie = format!("theme=dark; {SESSION_COOKIE}={}", session.token);
    let principal = ask(&auth, Method::GET, &[("cookie", &cookie)])
        .await
        .unwrap();
    assert!(auth.is_current(&principal, NOW).await);
    assert!(!auth.is_current(&principal, session.expires).await);
    auth.log_out(&principal).await.unwrap();
    assert_eq!(
        ask(&auth, Method::GET, &[("cookie", &cookie)]).await,
        Err(AuthError::Missing)
    );
}

#[tokio::test]
async fn a_change_by_cookie_has_to_come_from_this_host() {
    let (auth, password) = auth();
    let session = auth.log_in("admin", &password, HERE, NOW).await.unwrap();
    let cookie = format!("{SESSION_COOKIE}={}", session.token);
    let cookie = ("cookie", cookie.as_str());
    let host = ("host", "grid.example:8443");
    for headers in [
        vec![cookie, host],
        vec![cookie, host, ("origin", "null")],
        vec![cookie, host, ("origin", "https://evil.example")],
        vec![cookie, host, ("origin", "https://grid.example")],
        vec![cookie, ("origin", "https://grid.example:8443")],
    ] {
        let refused = ask(&auth, Method::POST, &headers).await;
        assert_eq!(refused, Err(AuthError::CrossSite), "{headers:?}");
    }
    for headers in [
        vec![cookie, host, ("origin", "https://grid.example:8443")],
        vec![cookie, host, (SAME_SITE_HEADER, "1")],
    ] {
        assert!(
            ask(&auth, Method::POST, &headers).await.is_ok(),
            "{headers:?}"
        );
    }
}

#[tokio::test]
async fn guessing_is_slowed_down_but_does_not_lock_out_who_is_known() {
    let (auth, password) = auth();
    let good = basic_header("admin", &password);
    ask(&auth, Method::GET, &[("authorization", &good)])
        .await
        .unwrap();
    for guess in 0..MAX_FAILURES {
        let bad = basic_header("admin", &guess.to_string());
        let refused = ask(&auth, Method::GET, &[("authorization", &bad)]).await;
        assert_eq!(refused, Err(AuthError::Wrong));
    }
    let bad = basic_header("admin", "once more");
    let refused = ask(&auth, Method::GET, &[("authorization", &bad)]).await;
    assert_eq!(refused, Err(AuthError::Throttled { retry_after_s: 60 }));
    assert!(
        ask(&auth, Method::GET, &[("authorization", &good)])
            .await
            .is_ok()
    );
}

#[tokio::test]
async fn a_new_password_ends_what_the_old_one_began() {
    let (auth, password) = auth();
    let session = auth.log_in("admin", &password, HERE, NOW).await.unwrap();
    let kept = auth.log_in("admin", &password, HERE, NOW).await.unwrap();
    let cookie = |session: &NewSession| format!("{SESSION_COOKIE}={}", session.token);
    let principal = ask(&auth, Method::GET, &[("cookie", &cookie(&kept))])
        .await
        .unwrap();
    let change = async |current: &str, new: &str| {
        auth.change_password(&principal, current, new, HERE, NOW)
            .await
    };
    assert_eq!(
        change(&password, "short").await,
        Err(PasswordError::TooShort)
    );
    let long = "x".repeat(MAX_PASSWORD_BYTES + 1);
    assert_eq!(change(&password, &long).await, Err(PasswordError::TooLong));
    let wrong = Err(PasswordError::Current(AuthError::Wrong));
    assert_eq!(change("not the password", "a new passphrase").await, wrong);
    let account = change(&password, "a new passphrase").await.unwrap();
    auth.put(account, &principal).await.unwrap();
    let old = basic_header("admin", &password);
    let refused = ask(&auth, Method::GET, &[("authorization", &old)]).await;
    assert_eq!(refused, Err(AuthError::Wrong));
    let new = basic_header("admin", "a new passphrase");
    assert!(
        ask(&auth, Method::GET, &[("authorization", &new)])
            .await
            .is_ok()
    );
    let ended = ask(&auth, Method::GET, &[("cookie", &cookie(&session))]).await;
    assert_eq!(ended, Err(AuthError::Missing));
    assert!(
        ask(&auth, Method::GET, &[("cookie", &cookie(&kept))])
            .await
            .is_ok()
    );
}
