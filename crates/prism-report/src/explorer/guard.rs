//! Who may ask, and what may be asked: reading only, from this machine's own pages only.
//!
//! The explorer listens on the loopback, but any page a browser shows can send requests
//! there, and a name that resolves to the loopback makes them look like its own. So the host
//! asked for must be a name of this machine with the explorer's port, and where an origin is
//! named it must be the explorer itself.

use axum::http::header::{
    ALLOW, CACHE_CONTROL, CONTENT_SECURITY_POLICY, CONTENT_TYPE, HOST, HeaderName, HeaderValue, ORIGIN, REFERRER_POLICY,
    X_CONTENT_TYPE_OPTIONS, X_FRAME_OPTIONS,
};
use axum::http::{HeaderMap, Method, Response, StatusCode, Uri};

use super::reply::Reply;

/// What the explorer's own pages may load: its own style, script and pictures.
pub const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; \
form-action 'self'; base-uri 'none'; frame-ancestors 'none'";

/// Why a request is refused, or `None` for one that may pass.
pub fn refuse(method: &Method, uri: &Uri, headers: &HeaderMap, port: u16) -> Option<Reply> {
    if method != Method::GET && method != Method::HEAD {
        return Some(Reply::refused(StatusCode::METHOD_NOT_ALLOWED, "The explorer only reads: GET and HEAD."));
    }
    let hosts: Vec<&HeaderValue> = headers.get_all(HOST).iter().collect();
    let named = match hosts.as_slice() {
        [host] => is_here(host.to_str().unwrap_or_default(), port),
        _ => false,
    };
    // A request may name its host in the address itself.
    if !named || uri.authority().is_some_and(|a| !is_here(a.as_str(), port)) {
        let text = "Not a name of this explorer: use localhost or 127.0.0.1 with the port it printed.";
        return Some(Reply::refused(StatusCode::FORBIDDEN, text));
    }
    let foreign =
        |origin: &HeaderValue| !origin.to_str().ok().and_then(|o| o.strip_prefix("http://")).is_some_and(|host| is_here(host, port));
    if headers.get_all(ORIGIN).iter().any(foreign) {
        return Some(Reply::refused(StatusCode::FORBIDDEN, "Asked for by a page of another origin."));
    }
    None
}

/// Whether `host` is a name of the loopback with this port.
fn is_here(host: &str, port: u16) -> bool {
    let Some(name) = host.strip_suffix(&format!(":{port}")) else {
        // Browsers leave out the usual port.
        return port == 80 && matches!(host.to_ascii_lowercase().as_str(), "localhost" | "127.0.0.1" | "[::1]");
    };
    matches!(name.to_ascii_lowercase().as_str(), "localhost" | "127.0.0.1" | "[::1]")
}

/// A reply as a response.
pub fn dressed<B: From<Vec<u8>>>(reply: Reply) -> Response<B> {
    let mut response = Response::new(B::from(reply.body));
    *response.status_mut() = reply.status;
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static(reply.kind));
    if let Some(policy) = reply.policy.and_then(|p| HeaderValue::try_from(p).ok()) {
        headers.insert(CONTENT_SECURITY_POLICY, policy);
    }
    if reply.keep {
        headers.insert(CACHE_CONTROL, HeaderValue::from_static("private, max-age=300"));
    }
    if reply.status == StatusCode::METHOD_NOT_ALLOWED {
        headers.insert(ALLOW, HeaderValue::from_static("GET, HEAD"));
    }
    response
}

/// Adds the headers every answer bears, whoever made it.
pub fn cover(headers: &mut HeaderMap) {
    headers.entry(CONTENT_SECURITY_POLICY).or_insert(HeaderValue::from_static(POLICY));
    headers.entry(CACHE_CONTROL).or_insert(HeaderValue::from_static("no-store"));
    for (name, value) in [
        (X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (REFERRER_POLICY, "no-referrer"),
        (X_FRAME_OPTIONS, "DENY"),
        (HeaderName::from_static("cross-origin-resource-policy"), "same-origin"),
        (HeaderName::from_static("cross-origin-opener-policy"), "same-origin"),
    ] {
        headers.insert(name, HeaderValue::from_static(value));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_names_of_this_machine_with_the_port_are_here() {
        for host in ["localhost:7171", "LOCALHOST:7171", "127.0.0.1:7171", "[::1]:7171"] {
            assert!(is_here(host, 7171), "{host}");
        }
        for host in [
            "",
            "localhost",
            "localhost:80",
            "evil.test:7171",
            "localhost.evil.test:7171",
            "127.0.0.1.evil.test:7171",
            "0.0.0.0:7171",
            "::1:7171",
            "a@localhost:7171",
        ] {
            assert!(!is_here(host, 7171), "{host}");
        }
        assert!(is_here("localhost", 80));
    }
}
