//! Addresses given by merchants. Only http and https are ever followed or linked: anything else
//! could run in the payer's browser.

use reqwest::Url;

/// The address, if it is one of the web.
pub(crate) fn web(text: &str) -> Option<Url> {
    Url::parse(text).ok().filter(|url| matches!(url.scheme(), "http" | "https") && url.has_host())
}

/// `https://host:port` of an address, as a source in a Content-Security-Policy.
pub(crate) fn origin(text: &str) -> Option<String> {
    web(text).map(|url| url.origin().ascii_serialization())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_web_addresses_pass() {
        assert!(web("http://127.0.0.1:9/n?a=1").is_some());
        for bad in ["javascript:alert(1)", "/path", "ftp://h/", "data:text/html,x", ""] {
            assert!(web(bad).is_none(), "{bad}");
        }
        assert_eq!(origin("https://shop.example/x;y").as_deref(), Some("https://shop.example"));
    }
}
