//! The two languages of the pages.

/// A language.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Language {
    /// 简体中文, for most people who see a page.
    Chinese,
    /// English.
    English,
}

impl Language {
    /// The wish in the address wins, then the browser's first language, then Chinese.
    pub fn choose(wish: Option<&str>, accept: Option<&str>) -> Language {
        let first = accept.and_then(|a| a.split([',', ';']).next());
        match wish.or(first).map(str::trim) {
            Some(tag) if tag.to_ascii_lowercase().starts_with("zh") => Language::Chinese,
            Some(_) => Language::English,
            None => Language::Chinese,
        }
    }

    /// The tag for `lang`, and the wish in an address.
    pub fn tag(self) -> &'static str {
        match self {
            Language::Chinese => "zh-CN",
            Language::English => "en",
        }
    }

    /// The one that a page offers to change to.
    pub fn other(self) -> Language {
        match self {
            Language::Chinese => Language::English,
            Language::English => Language::Chinese,
        }
    }

    /// What it calls itself.
    pub fn name(self) -> &'static str {
        self.say("中文", "English")
    }

    /// The text in this language.
    pub fn say(self, chinese: &'static str, english: &'static str) -> &'static str {
        match self {
            Language::Chinese => chinese,
            Language::English => english,
        }
    }
}
