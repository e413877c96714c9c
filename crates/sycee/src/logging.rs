//! Logs: one line an event, as text or JSON, on standard error. Secrets never get here: they are
//! held in types that print as stars, and bodies are logged by length only.

use anyhow::{Context, Result};
use tracing_subscriber::filter::Targets;
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::SubscriberInitExt;

use crate::configuration::{LogFormat, LogSettings};

/// Starts logging. The filter is `level` or `target=level,target=level,level`.
pub fn start(settings: &LogSettings) -> Result<()> {
    let filter: Targets = settings.filter.parse().with_context(|| {
        format!(
            "log.filter: {:?} is no filter; try \"info\" or \"info,store=debug\"",
            settings.filter
        )
    })?;
    let registry = tracing_subscriber::registry().with(filter);
    let lines = tracing_subscriber::fmt::layer().with_writer(std::io::stderr);
    match settings.format {
        LogFormat::Text => registry.with(lines.with_ansi(false)).try_init(),
        LogFormat::Json => registry.with(lines.json()).try_init(),
    }
    .context("logging was started before")
}
