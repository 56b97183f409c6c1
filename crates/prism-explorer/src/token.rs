//! The token in the address that is printed at the start, as a password for one session.
//!
//! The loopback is open to every account of a machine. So whoever asks must show what only the
//! one who started the explorer was told. A browser shows it once, in the address; from then on it
//! sends a cookie. A program gives it with each request.

use std::fmt;
use std::hint::black_box;
use std::io;

use axum::http::header::{AUTHORIZATION, COOKIE};
use axum::http::{HeaderMap, Uri};
use rand::TryRng;
use rand::rngs::SysRng;

/// Random bytes of a token: 128 bits.
const BYTES: usize = 16;
/// What the token is called in an address.
const PARAMETER: &str = "token";

/// A secret of 128 random bits, as 32 hexadecimal digits.
#[derive(Clone)]
pub struct Token(String);

impl Token {
    /// Draws one from the operating system.
    ///
    /// # Errors
    /// When the system has no random numbers to give.
    pub fn draw() -> io::Result<Self> {
        let mut bytes = [0; BYTES];
        SysRng.try_fill_bytes(&mut bytes).map_err(|e| io::Error::other(format!("the system gives no random numbers: {e}")))?;
        Ok(Self(bytes.iter().map(|byte| format!("{byte:02x}")).collect()))
    }

    /// Its digits.
    pub fn digits(&self) -> &str {
        &self.0
    }

    /// Whether these are its digits; how long that takes does not tell which of them are wrong.
    fn is(&self, given: &[u8]) -> bool {
        // The length is no secret.
        given.len() == self.0.len() && black_box(given.iter().zip(self.0.bytes()).fold(0, |differ, (a, b)| differ | (a ^ b))) == 0
    }

    /// Whether the headers of a request to `port` show it: in a cookie, or as `Authorization: Bearer`.
    pub fn is_in_headers(&self, headers: &HeaderMap, port: u16) -> bool {
        let name = cookie_name(port);
        let cookies = headers.get_all(COOKIE).iter().flat_map(|header| header.as_bytes().split(|byte| *byte == b';'));
        let in_cookie =
            cookies.filter_map(|pair| pair.trim_ascii().strip_prefix(name.as_bytes())?.strip_prefix(b"=")).any(|digits| self.is(digits));
        let bearer = |value: &[u8]| {
            let (scheme, digits) = value.split_at_checked(b"Bearer ".len())?;
            scheme.eq_ignore_ascii_case(b"Bearer ").then(|| self.is(digits.trim_ascii()))
        };
        in_cookie || headers.get_all(AUTHORIZATION).iter().any(|value| bearer(value.as_bytes()) == Some(true))
    }

    /// Whether the address shows it.
    pub fn is_in_address(&self, uri: &Uri) -> bool {
        uri.query().is_some_and(|query| query.split('&').any(|pair| given(pair).is_some_and(|digits| self.is(digits.as_bytes()))))
    }

    /// The cookie that a browser shows from now on, as `Set-Cookie` says it. Cookies are shared by all
    /// ports of a machine, so that of another explorer has another name.
    pub fn cookie(&self, port: u16) -> String {
        format!("{}={}; Path=/; HttpOnly; SameSite=Strict", cookie_name(port), self.0)
    }

    /// The address to open at `port`.
    pub fn address(&self, port: u16) -> String {
        format!("http://127.0.0.1:{port}/?{PARAMETER}={}", self.0)
    }
}

/// A log shows that there is one, and not which.
impl fmt::Debug for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Token(..)")
    }
}

fn cookie_name(port: u16) -> String {
    format!("prism-{port}")
}

/// What a pair of a query gives as the token.
fn given(pair: &str) -> Option<&str> {
    pair.strip_prefix(PARAMETER)?.strip_prefix('=')
}

/// Path and query of an address without a token, such that it leads nowhere else.
pub fn without(uri: &Uri) -> String {
    // A path of two slashes would be the name of another host.
    let path = uri.path().trim_start_matches(['/', '\\']);
    let kept: Vec<&str> = uri.query().unwrap_or_default().split('&').filter(|pair| !pair.is_empty() && given(pair).is_none()).collect();
    if kept.is_empty() { format!("/{path}") } else { format!("/{path}?{}", kept.join("&")) }
}

#[cfg(test)]
mod tests {
    use axum::http::HeaderValue;

    use super::*;

    fn token() -> Token {
        Token("00112233445566778899aabbccddeeff".into())
    }

    #[test]
    fn each_is_another_and_has_128_bits() {
        let drawn: Vec<Token> = (0..50).map(|_| Token::draw().unwrap()).collect();
        for (i, token) in drawn.iter().enumerate() {
            assert!(token.0.len() == 32 && token.0.bytes().all(|b| b.is_ascii_hexdigit()), "{}", token.0);
            assert!(drawn[..i].iter().all(|other| other.0 != token.0));
        }
        assert_eq!(format!("{:?}", drawn[0]), "Token(..)");
    }

    #[test]
    fn a_cookie_of_this_port_or_a_bearer_shows_it() {
        let shows = |name, value: &str| {
            let headers = HeaderMap::from_iter([(name, HeaderValue::from_str(value).unwrap())]);
            token().is_in_headers(&headers, 7171)
        };
        for right in ["prism-7171=00112233445566778899aabbccddeeff", "a=b; prism-7171=no;prism-7171=00112233445566778899aabbccddeeff ;c"] {
            assert!(shows(COOKIE, right), "{right}");
        }
        for wrong in [
            "",
            "prism-7171=",
            "prism-7171=00112233445566778899aabbccddeef0",
            "prism-7171=00112233445566778899aabbccddeeff0",
            "prism-717=00112233445566778899aabbccddeeff",
            "prism-71710=00112233445566778899aabbccddeeff",
            "xprism-7171=00112233445566778899aabbccddeeff",
            "00112233445566778899aabbccddeeff",
        ] {
            assert!(!shows(COOKIE, wrong), "{wrong}");
        }
        assert!(shows(AUTHORIZATION, "Bearer 00112233445566778899aabbccddeeff"));
        assert!(shows(AUTHORIZATION, "bearer 00112233445566778899aabbccddeeff"));
        for wrong in ["Bearer", "Bearer ", "Basic 00112233445566778899aabbccddeeff", "00112233445566778899aabbccddeeff"] {
            assert!(!shows(AUTHORIZATION, wrong), "{wrong}");
        }
    }

    #[test]
    fn an_address_loses_its_token_and_leads_nowhere_else() {
        let uri = |text: &str| text.parse::<Uri>().unwrap();
        assert!(token().is_in_address(&uri("/a?x=1&token=00112233445566778899aabbccddeeff")));
        for wrong in
            ["/", "/?token", "/?token=", "/?token=0", "/?tokens=00112233445566778899aabbccddeeff", "/00112233445566778899aabbccddeeff"]
        {
            assert!(!token().is_in_address(&uri(wrong)), "{wrong}");
        }
        for (address, kept) in [
            ("/?token=00", "/"),
            ("/runs/a?x=%26&token=00&y=2&token=1", "/runs/a?x=%26&y=2"),
            ("//evil.test/a?token=00", "/evil.test/a"),
            ("/a//b?tokens=1", "/a//b?tokens=1"),
        ] {
            assert_eq!(without(&uri(address)), kept);
        }
    }
}
