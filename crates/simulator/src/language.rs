//! The two languages of the pages, and how a reader gets one.

use axum::http::{HeaderMap, header};

/// A language of the pages.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Language {
    Chinese,
    English,
}

impl Language {
    /// What was asked for in the address, or else what the browser prefers, or else Chinese.
    pub fn of(asked: Option<&String>, headers: &HeaderMap) -> Language {
        if let Some(asked) = asked {
            return if asked.starts_with("en") { Language::English } else { Language::Chinese };
        }
        let accepted =
            headers.get(header::ACCEPT_LANGUAGE).and_then(|v| v.to_str().ok()).unwrap_or_default();
        // Browsers list the preferred language first; weights need not be read.
        let known = accepted.split(',').map(str::trim).find_map(|tag| {
            let tag = tag.to_ascii_lowercase();
            if tag.starts_with("zh") {
                Some(Language::Chinese)
            } else if tag.starts_with("en") {
                Some(Language::English)
            } else {
                None
            }
        });
        known.unwrap_or(Language::Chinese)
    }

    /// The tag for `lang` attributes.
    pub fn tag(self) -> &'static str {
        match self {
            Language::Chinese => "zh-CN",
            Language::English => "en",
        }
    }

    /// The word in addresses: `?lang=`.
    pub fn word(self) -> &'static str {
        match self {
            Language::Chinese => "zh",
            Language::English => "en",
        }
    }

    /// One of two texts.
    pub fn say(self, chinese: &'static str, english: &'static str) -> &'static str {
        match self {
            Language::Chinese => chinese,
            Language::English => english,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_address_wins_over_the_browser() {
        let mut headers = HeaderMap::new();
        assert_eq!(Language::of(None, &headers), Language::Chinese);
        headers.insert(header::ACCEPT_LANGUAGE, "fr, en-GB;q=0.8, zh;q=0.5".parse().unwrap());
        assert_eq!(Language::of(None, &headers), Language::English);
        assert_eq!(Language::of(Some(&"zh".to_owned()), &headers), Language::Chinese);
        headers.insert(header::ACCEPT_LANGUAGE, "zh-TW,en".parse().unwrap());
        assert_eq!(Language::of(None, &headers), Language::Chinese);
    }
}
