//! What people see: view models and templates, zh-CN and English. Loads no data, decides nothing.
//!
//! Every page works without script; the Content-Security-Policy allows none.

mod landing;
mod language;
mod mock;
mod stylesheet;

#[cfg(test)]
mod tests;

pub use landing::{Landing, Message};
pub use language::Language;
pub use mock::{Deed, Mock, MockState};
pub use stylesheet::{STYLESHEET, stylesheet_name};

/// The policy that every page is sent with (specs/reliability.md SEC-53, SEC-56). `form_action`
/// names further hosts to which a form may lead in the end, because browsers apply it to redirects
/// too.
pub fn content_security_policy(form_action: &str) -> String {
    format!(
        "default-src 'none'; style-src 'self'; img-src 'self' data:; form-action 'self'{}{}; \
         base-uri 'none'; frame-ancestors 'none'",
        if form_action.is_empty() { "" } else { " " },
        form_action
    )
}
