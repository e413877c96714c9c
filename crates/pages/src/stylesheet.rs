//! The one stylesheet. Its name changes with its content, so that browsers may keep it for ever.

use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::LazyLock;

/// The text, served at `/assets/` under [`stylesheet_name`].
pub const STYLESHEET: &str = include_str!("../assets/sycee.css");

/// The file's name, such as `sycee-0f3a….css`.
pub fn stylesheet_name() -> &'static str {
    static NAME: LazyLock<String> = LazyLock::new(|| {
        let mut hasher = DefaultHasher::new();
        STYLESHEET.hash(&mut hasher);
        format!("sycee-{:016x}.css", hasher.finish())
    });
    &NAME
}
