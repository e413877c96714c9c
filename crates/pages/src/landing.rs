//! The page at the root, and short messages.

use askama::Template;

use crate::Language;

/// The page at `/`.
#[derive(Debug, Template)]
#[template(path = "landing.html")]
pub struct Landing {
    /// In which language.
    pub language: Language,
    /// Whether a simulator is mounted.
    pub demo: bool,
}

/// One sentence for a person.
#[derive(Debug, Template)]
#[template(path = "message.html")]
pub struct Message {
    /// In which language.
    pub language: Language,
    /// The heading.
    pub title: String,
    /// The sentence.
    pub text: String,
}
