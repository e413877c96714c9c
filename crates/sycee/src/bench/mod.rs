//! `sycee bench`: closed-loop load over loopback against servers that it starts itself.
//!
//! The upstream is a connector that answers at once, so that what is measured is ours: HTTP,
//! parsing, deciding, committing, rendering, signing. Figures of one run are comparable with each
//! other and with nothing else.

mod cases;
mod connector;
mod load;
mod nowhere;
mod world;

use std::process::ExitCode;
use std::time::Duration;

use anyhow::Result;
use serde::Serialize;

use crate::arguments::Bench;
use crate::logging;
use crate::wiring;

/// The cases in the order in which they run.
pub const CASES: [&str; 8] = [
    "http",
    "create",
    "create-signed",
    "confirm-hot",
    "confirm-spread",
    "retrieve",
    "list",
    "webhooks",
];

/// One case's figures.
#[derive(Clone, Debug, Serialize)]
pub struct Figures {
    /// Which case.
    pub case: &'static str,
    /// Answers a second.
    pub per_second: u64,
    /// Median time of an answer, microseconds.
    pub p50_us: u64,
    /// 99th percentile.
    pub p99_us: u64,
    /// Answers other than expected.
    pub errors: u64,
}

/// Runs the wanted cases and prints a line for each.
pub fn run(arguments: Bench) -> Result<ExitCode> {
    wiring::refuse_database(arguments.database.as_deref())?;
    let wanted =
        |case: &&str| arguments.cases.is_empty() || arguments.cases.iter().any(|c| c == *case);
    if let Some(unknown) = arguments.cases.iter().find(|c| !CASES.contains(&c.as_str())) {
        anyhow::bail!("--case {unknown}: there is none; the cases are {}", CASES.join(", "));
    }
    logging::start(&crate::configuration::LogSettings {
        filter: "error".into(),
        format: crate::configuration::LogFormat::Text,
    })?;
    let plan = cases::Plan {
        connections: arguments.connections.max(1),
        time: Duration::from_secs(arguments.seconds.max(1)),
        prefill: arguments.prefill,
    };
    let mut all: Vec<Figures> = Vec::new();
    for case in CASES.into_iter().filter(wanted) {
        // A runtime and a store of its own for each case: nothing is left over from the one before.
        let figures = wiring::runtime()?.block_on(cases::run(case, &plan))?;
        if arguments.json {
            println!("{}", serde_json::to_string(&figures)?);
        } else {
            show(&figures);
        }
        all.push(figures);
    }
    let rsa = all.iter().any(|f| f.case == "create-signed").then(|| cases::rsa_per_second(&plan));
    if let Some(per_second) = rsa
        && arguments.json
    {
        let none = Figures { case: "rsa", per_second, p50_us: 0, p99_us: 0, errors: 0 };
        println!("{}", serde_json::to_string(&none)?);
    }
    if !arguments.json {
        ratios(&all, rsa);
    }
    let errors: u64 = all.iter().map(|f| f.errors).sum();
    Ok(if errors == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

fn show(f: &Figures) {
    println!(
        "{:<15} {:>8}/s   p50 {:>7} us   p99 {:>7} us   errors {}",
        f.case, f.per_second, f.p50_us, f.p99_us, f.errors
    );
}

/// Hundredths of `a / b`, as text; figures are whole numbers and stay so.
fn ratio(a: u64, b: u64) -> String {
    match (a * 100).checked_div(b) {
        Some(hundredths) => format!("{}.{:02}", hundredths / 100, hundredths % 100),
        None => "-".into(),
    }
}

fn ratios(all: &[Figures], rsa: Option<u64>) {
    let rate = |case: &str| all.iter().find(|f| f.case == case).map(|f| f.per_second);
    println!();
    let pairs = [
        ("create", "http", "0.30"),
        ("confirm-hot", "confirm-spread", "0.90"),
        ("confirm-hot", "create", "0.60"),
    ];
    for (a, b, goal) in pairs {
        if let (Some(x), Some(y)) = (rate(a), rate(b)) {
            println!("{a} / {b}: {} (goal {goal})", ratio(x, y));
        }
    }
    if let (Some(signed), Some(rsa)) = (rate("create-signed"), rsa) {
        println!(
            "create-signed / its RSA operations alone ({rsa}/s): {} (goal 0.80)",
            ratio(signed, rsa)
        );
    }
    if let Some(create) = all.iter().find(|f| f.case == "create") {
        let ratio = ratio(create.p99_us, create.p50_us);
        println!("create p99 / p50: {ratio} (goal at most 10)");
    }
}
