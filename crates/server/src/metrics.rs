//! Figures for Prometheus: requests, the lane, deliveries, channel calls, and what waits.

use std::fmt::Write;
use std::sync::Arc;
use std::time::Duration;

use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use engine::Engine;
use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::encoding::text::encode;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::metrics::info::Info;
use prometheus_client::registry::Registry;

use crate::envelope::RequestIds;

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Labels {
    route: String,
    status: &'static str,
}

/// What is counted around requests, and where the rest is read from.
pub(crate) struct Metrics {
    pub(crate) request_ids: RequestIds,
    engine: Arc<Engine>,
    registry: Registry,
    requests: Family<Labels, Counter>,
    seconds: Histogram,
}

impl Metrics {
    pub(crate) fn new(engine: Arc<Engine>) -> Metrics {
        let mut registry = Registry::with_prefix("sycee");
        let build = Info::new([("version", env!("CARGO_PKG_VERSION"))]);
        registry.register("build", "The program that answers", build);
        let requests = Family::<Labels, Counter>::default();
        let bounds = [0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 5.0];
        let seconds = Histogram::new(bounds);
        registry.register("http_requests", "Requests by route and status class", requests.clone());
        registry.register("http_request_seconds", "Time to answer a request", seconds.clone());
        Metrics { request_ids: RequestIds::new(), engine, registry, requests, seconds }
    }

    pub(crate) fn count(&self, route: &str, status: StatusCode, elapsed: Duration) {
        let status = match status.as_u16() {
            100..=199 => "1xx",
            200..=299 => "2xx",
            300..=399 => "3xx",
            400..=499 => "4xx",
            _ => "5xx",
        };
        self.requests.get_or_create(&Labels { route: route.to_owned(), status }).inc();
        self.seconds.observe(elapsed.as_secs_f64());
    }

    async fn text(&self) -> Option<String> {
        let mut text = String::new();
        encode(&mut text, &self.registry).ok()?;
        // The engine counts by itself; its figures are written behind the registry's.
        let end = "# EOF\n";
        text.truncate(text.strip_suffix(end).map_or(text.len(), str::len));
        let s = self.engine.stats();
        for (name, help, value) in [
            ("commands_decided_total", "Commands decided", s.commands),
            ("commits_total", "Batches committed", s.batches),
            ("commands_busy_total", "Commands turned away by a full queue", s.busy),
            ("deliveries_ok_total", "Webhooks that were taken", s.deliveries_ok),
            ("deliveries_failed_total", "Webhook tries that failed", s.deliveries_failed),
            ("notices_taken_total", "Channel notices taken", s.notices_taken),
            ("notices_refused_total", "Channel notices refused", s.notices_refused),
            ("channel_calls_total", "Calls to channels", s.channel_calls),
            ("channel_unknown_total", "Calls whose outcome was unknown", s.channel_unknown),
        ] {
            write_one(&mut text, name.trim_end_matches("_total"), help, "counter", (name, value));
        }
        write_one(
            &mut text,
            "commands_queued",
            "Commands waiting",
            "gauge",
            ("commands_queued", s.queued),
        );
        if let Ok(b) = self.engine.read(|q| q.backlog_of_all()).await {
            for (name, help, value) in [
                ("deliveries_waiting", "Webhooks to be sent", b.deliveries_waiting),
                ("deliveries_dead", "Webhooks given up", b.deliveries_dead),
                ("operations_unknown", "Operations of unknown outcome", b.operations_unknown),
                ("operations_in_review", "Operations that wait for people", b.operations_in_review),
                ("notices_unmatched", "Notices about unknown payments", b.notices_unmatched),
            ] {
                let value = u64::try_from(value).unwrap_or(0);
                write_one(&mut text, name, help, "gauge", (name, value));
            }
        }
        text.push_str(end);
        Some(text)
    }
}

fn write_one(text: &mut String, family: &str, help: &str, kind: &str, (name, value): (&str, u64)) {
    // Writing into a String cannot fail.
    let _ = write!(
        text,
        "# HELP sycee_{family} {help}.\n# TYPE sycee_{family} {kind}\nsycee_{name} {value}\n"
    );
}

pub(crate) async fn show(State(metrics): State<Arc<Metrics>>) -> Response {
    match metrics.text().await {
        Some(text) => {
            let kind = "application/openmetrics-text; version=1.0.0; charset=utf-8";
            ([(header::CONTENT_TYPE, kind)], text).into_response()
        }
        None => StatusCode::INTERNAL_SERVER_ERROR.into_response(),
    }
}
