//! Who may ask, and what may be asked: reading only, from this machine's own pages only, and only
//! by who has the token.
//!
//! The explorer listens on the loopback, but any page a browser shows can send requests
//! there, and a name that resolves to the loopback makes them look like its own. So the host
//! asked for must be a name of this machine with the explorer's port; where an origin is
//! named it must be the explorer itself; and where a browser says which kind of page asks,
//! it must be one of the explorer's, or none, as for an address that was typed. Other accounts of
//! the machine can reach the loopback as well. They lack the token.

use axum::body::Body;
use axum::http::header::{
    ALLOW, CACHE_CONTROL, CONTENT_SECURITY_POLICY, CONTENT_TYPE, HOST, HeaderName, HeaderValue, LOCATION, ORIGIN, REFERRER_POLICY,
    RETRY_AFTER, SET_COOKIE, X_CONTENT_TYPE_OPTIONS, X_FRAME_OPTIONS,
};
use axum::http::{HeaderMap, Method, Response, StatusCode, Uri};

use super::reply::Reply;
use super::token::{self, Token};

/// What the explorer's own pages may load: its own style, script and pictures.
pub const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; \
form-action 'self'; base-uri 'none'; frame-ancestors 'none'";

/// What a browser says of who asks, where the explorer answers: a page of its own, or no page.
const ASKED_BY: [&[u8]; 2] = [b"same-origin", b"none"];
/// Where a browser says it.
const FETCH_SITE: HeaderName = HeaderName::from_static("sec-fetch-site");

/// Who guards an explorer at a port.
#[derive(Debug, Clone)]
pub struct Guard {
    /// The port.
    pub port: u16,
    /// The token that is to be shown.
    pub token: Token,
}

/// Where a request leads.
#[derive(Debug)]
pub enum Passage {
    /// To the page.
    Open,
    /// To the page at this address, which is the one asked for without the token.
    At(Uri),
    /// To the address without the token, with a cookie in its place.
    SetCookie(Box<Response<Body>>),
    /// Nowhere.
    Refused(Reply),
}

impl Guard {
    /// Where a request leads. Nothing is read to find out.
    pub fn passage(&self, method: &Method, uri: &Uri, headers: &HeaderMap) -> Passage {
        if let Some(refused) = refuse(method, uri, headers, self.port) {
            return Passage::Refused(refused);
        }
        if self.token.is_in_address(uri) {
            let address = token::without(uri);
            // A program follows no redirections and keeps no cookies.
            let entered = if uri.path().starts_with("/api/") { address.parse().ok().map(Passage::At) } else { self.set_cookie(&address) };
            return entered.unwrap_or(Passage::Open);
        }
        if self.token.is_in_headers(headers, self.port) {
            return Passage::Open;
        }
        let text = "Use the address that `prism view` printed where it was started: it has the token. \
Programs send it as `Authorization: Bearer TOKEN`.";
        Passage::Refused(Reply::refused(StatusCode::FORBIDDEN, text))
    }

    fn set_cookie(&self, address: &str) -> Option<Passage> {
        let mut response = Response::new(Body::empty());
        *response.status_mut() = StatusCode::SEE_OTHER;
        response.headers_mut().insert(LOCATION, HeaderValue::from_str(address).ok()?);
        response.headers_mut().insert(SET_COOKIE, HeaderValue::from_str(&self.token.cookie(self.port)).ok()?);
        Some(Passage::SetCookie(Box::new(response)))
    }
}

/// Why a request is refused whoever makes it, or `None` for one that may pass.
fn refuse(method: &Method, uri: &Uri, headers: &HeaderMap, port: u16) -> Option<Reply> {
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
    if headers.get_all(FETCH_SITE).iter().any(|site| !ASKED_BY.contains(&site.as_bytes())) {
        let text = "Asked for by a page of another site: copy the address into the browser instead of following a link to it.";
        return Some(Reply::refused(StatusCode::FORBIDDEN, text));
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

/// A reply as a response, which shares its body.
pub fn to_response(reply: &Reply) -> Response<Body> {
    let mut response = Response::new(Body::from(reply.body.clone()));
    *response.status_mut() = reply.status;
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static(reply.kind));
    if let Some(policy) = reply.policy.as_ref().and_then(|policy| HeaderValue::try_from(policy).ok()) {
        headers.insert(CONTENT_SECURITY_POLICY, policy);
    }
    if reply.keep {
        headers.insert(CACHE_CONTROL, HeaderValue::from_static("private, max-age=300"));
    }
    if reply.status == StatusCode::METHOD_NOT_ALLOWED {
        headers.insert(ALLOW, HeaderValue::from_static("GET, HEAD"));
    }
    if reply.status == StatusCode::SERVICE_UNAVAILABLE {
        headers.insert(RETRY_AFTER, HeaderValue::from_static("10"));
    }
    response
}

/// Adds the headers every answer bears, whoever made it.
pub fn add_headers(headers: &mut HeaderMap) {
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

    fn passage(address: &str, headers: &[(HeaderName, &str)]) -> (Guard, Passage) {
        let guard = Guard { port: 7171, token: Token::draw().unwrap() };
        let said = |text: &str| text.replace("TOKEN", guard.token.digits());
        let mut all = HeaderMap::from_iter([(HOST, HeaderValue::from_static("127.0.0.1:7171"))]);
        all.extend(headers.iter().map(|(name, value)| (name.clone(), said(value).parse::<HeaderValue>().unwrap())));
        let passage = guard.passage(&Method::GET, &said(address).parse().unwrap(), &all);
        (guard, passage)
    }

    #[test]
    fn the_token_opens_and_nothing_else_does() {
        use axum::http::header::{AUTHORIZATION, COOKIE};
        assert!(matches!(passage("/", &[(COOKIE, "prism-7171=TOKEN")]).1, Passage::Open));
        assert!(matches!(passage("/runs/a", &[(AUTHORIZATION, "Bearer TOKEN")]).1, Passage::Open));
        assert!(matches!(passage("/api/runs.json?token=TOKEN&x=1", &[]).1, Passage::At(uri) if uri == "/api/runs.json?x=1"));
        for (address, headers) in [
            ("/", vec![]),
            ("/explorer.css", vec![]),
            ("/?token=0", vec![]),
            ("/?x=TOKEN", vec![]),
            ("/", vec![(COOKIE, "prism-80=TOKEN")]),
            ("/", vec![(AUTHORIZATION, "Bearer TOKE")]),
        ] {
            let refused = matches!(passage(address, &headers).1, Passage::Refused(reply) if reply.status == StatusCode::FORBIDDEN);
            assert!(refused, "{address}");
        }
    }

    #[test]
    fn an_address_with_the_token_leads_to_the_same_without_it() {
        let (guard, Passage::SetCookie(response)) = passage("/runs/a?token=TOKEN&page=2", &[]) else { panic!("refused") };
        assert_eq!(response.status(), StatusCode::SEE_OTHER);
        assert_eq!(response.headers()[LOCATION], "/runs/a?page=2");
        let cookie = response.headers()[SET_COOKIE].to_str().unwrap();
        assert_eq!(cookie, format!("prism-7171={}; Path=/; HttpOnly; SameSite=Strict", guard.token.digits()));
    }

    #[test]
    fn pages_of_other_sites_are_refused_even_with_the_token() {
        for (site, passes) in
            [("same-origin", true), ("none", true), ("same-site", false), ("cross-site", false), ("", false), ("x", false)]
        {
            for address in ["/api/runs.json?token=TOKEN", "/?token=TOKEN"] {
                let passage = passage(address, &[(FETCH_SITE, site)]).1;
                assert_eq!(!matches!(passage, Passage::Refused(_)), passes, "{site} {address}");
            }
        }
    }
}
