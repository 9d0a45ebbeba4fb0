//! The console: static files built into the binary. They hold no data; what they show they ask
//! of the API as whoever has logged in.

use axum::Router;
use axum::response::{IntoResponse, Response};
use http::{HeaderMap, HeaderValue, Method, StatusCode, Uri, header};

use crate::api::problem::{Kind, Problem};

include!(concat!(env!("OUT_DIR"), "/console_assets.rs"));

/// Where the build puts files whose names change with their content.
const HASHED: &str = "/assets/";
const INDEX: &str = "/index.html";
const NOT_BUILT: &str = "The console is not part of this binary. Build it with \
                         `cargo xtask console`, then build wattfold again.\n";

/// Everything that is not another route's.
pub fn router() -> Router {
    Router::new().fallback(async |method: Method, uri: Uri| answer(&ASSETS, &method, uri.path()))
}

fn answer(assets: &[(&str, &'static [u8])], method: &Method, path: &str) -> Response {
    if path.starts_with("/api/") {
        return Problem::new(Kind::NotFound, format!("there is no {path}")).into_response();
    }
    if method != Method::GET && method != Method::HEAD {
        let allow = HeaderValue::from_static("GET, HEAD");
        let problem = Problem::new(Kind::MethodNotAllowed, "files can only be read");
        return problem.with_header(header::ALLOW, allow).into_response();
    }
    if assets.is_empty() {
        return secured((StatusCode::SERVICE_UNAVAILABLE, NOT_BUILT).into_response());
    }
    let find = |wanted: &str| assets.iter().find(|(name, _)| *name == wanted);
    let page = !path
        .rsplit('/')
        .next()
        .is_some_and(|last| last.contains('.'));
    let wanted = if page { INDEX } else { path };
    let Some((name, content)) = find(wanted) else {
        return secured((StatusCode::NOT_FOUND, "There is no such file.\n").into_response());
    };
    let caching = if name.starts_with(HASHED) {
        "public, max-age=31536000, immutable"
    } else {
        "no-cache"
    };
    let headers = [
        (header::CONTENT_TYPE, content_type(name)),
        (header::CACHE_CONTROL, caching),
    ];
    secured((headers, *content).into_response())
}

fn content_type(name: &str) -> &'static str {
    match name.rsplit('.').next() {
        Some("html") => "text/html; charset=utf-8",
        Some("js") => "text/javascript; charset=utf-8",
        Some("css") => "text/css; charset=utf-8",
        Some("json" | "map") => "application/json",
        Some("svg") => "image/svg+xml",
        Some("png") => "image/png",
        Some("ico") => "image/x-icon",
        Some("woff2") => "font/woff2",
        Some("txt") => "text/plain; charset=utf-8",
        _ => "application/octet-stream",
    }
}

/// Nothing from elsewhere, no script inside a page, no frame around it.
fn secured(mut response: Response) -> Response {
    let headers: &mut HeaderMap = response.headers_mut();
    headers.insert(
        header::CONTENT_SECURITY_POLICY,
        HeaderValue::from_static(
            "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; \
             font-src 'self'; connect-src 'self'; manifest-src 'self'; base-uri 'none'; \
             form-action 'self'; frame-ancestors 'none'",
        ),
    );
    headers.insert(
        header::X_CONTENT_TYPE_OPTIONS,
        HeaderValue::from_static("nosniff"),
    );
    headers.insert(
        header::REFERRER_POLICY,
        HeaderValue::from_static("no-referrer"),
    );
    response
}

#[cfg(test)]
mod tests {
    use super::*;

    const BUILT: [(&str, &[u8]); 2] = [
        ("/assets/index-abc123.js", b"let a;"),
        ("/index.html", b"<!doctype html>"),
    ];

    fn get(path: &str) -> Response {
        answer(&BUILT, &Method::GET, path)
    }

    #[test]
    fn pages_are_the_index_and_files_are_themselves() {
        for page in ["/", "/dispatches/abc", "/index.html"] {
            let response = get(page);
            assert_eq!(response.status(), StatusCode::OK, "{page}");
            assert_eq!(
                response.headers()[header::CONTENT_TYPE],
                "text/html; charset=utf-8"
            );
            assert_eq!(response.headers()[header::CACHE_CONTROL], "no-cache");
        }
        let script = get("/assets/index-abc123.js");
        assert_eq!(
            script.headers()[header::CONTENT_TYPE],
            "text/javascript; charset=utf-8"
        );
        let caching = script.headers()[header::CACHE_CONTROL].to_str().unwrap();
        assert!(caching.contains("immutable"));
        for missing in ["/assets/other.js", "/favicon.ico", "/../Cargo.toml"] {
            assert_eq!(get(missing).status(), StatusCode::NOT_FOUND, "{missing}");
        }
    }

    #[test]
    fn no_page_may_run_foreign_or_inline_scripts_or_be_framed() {
        for response in [get("/"), get("/missing.js"), answer(&[], &Method::GET, "/")] {
            let policy = response.headers()[header::CONTENT_SECURITY_POLICY]
                .to_str()
                .unwrap();
            assert!(policy.contains("script-src 'self';") && !policy.contains("unsafe"));
            assert!(policy.contains("frame-ancestors 'none'"));
            assert_eq!(
                response.headers()[header::X_CONTENT_TYPE_OPTIONS],
                "nosniff"
            );
        }
    }

    #[test]
    fn a_binary_without_the_console_says_how_to_build_it() {
        assert_eq!(
            answer(&[], &Method::GET, "/").status(),
            StatusCode::SERVICE_UNAVAILABLE
        );
        assert!(NOT_BUILT.contains("cargo xtask console"));
    }

    #[test]
    fn what_is_below_the_api_or_no_reading_is_a_problem() {
        let problem = answer(&BUILT, &Method::GET, "/api/v2/ders");
        assert_eq!(
            problem.headers()[header::CONTENT_TYPE],
            "application/problem+json"
        );
        let post = answer(&BUILT, &Method::POST, "/");
        assert_eq!(post.status(), StatusCode::METHOD_NOT_ALLOWED);
        assert_eq!(post.headers()[header::ALLOW], "GET, HEAD");
    }
}
