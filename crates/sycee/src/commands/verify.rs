//! `sycee verify`: recomputes the whole book from its entries. Runs beside a server as a reader.

use std::process::ExitCode;

use anyhow::{Context, Result};
use domain::invariant::{Auditor, Finding};
use serde_json::json;
use store::{BookRow, Queries};

use crate::arguments::Verify;
use crate::configuration::{Overrides, Settings};
use crate::progress;
use crate::wiring;

/// 0 clean, 1 findings, 2 could not finish.
pub fn run(arguments: &Verify) -> ExitCode {
    match check(arguments) {
        Ok(report) => {
            report.print(arguments.json);
            if report.is_clean() { ExitCode::SUCCESS } else { ExitCode::from(1) }
        }
        Err(error) => {
            eprintln!("sycee verify: could not finish: {error:#}");
            ExitCode::from(2)
        }
    }
}

fn check(arguments: &Verify) -> Result<Report> {
    wiring::refuse_database(arguments.data.database.as_deref())?;
    let folder = arguments.data.data.clone();
    let overrides = Overrides { folder, ..Overrides::default() };
    let settings = Settings::load(arguments.data.config.as_deref(), overrides)?;
    let folder = &settings.data.folder;
    let queries = store::sqlite::open_reader(folder)
        .with_context(|| format!("no readable store in {}", folder.display()))?;
    audit(&*queries)
}

/// What was found.
pub struct Report {
    /// Findings in the book.
    pub findings: Vec<Finding>,
    /// Complaints of the database about its file.
    pub file: Vec<String>,
    /// How many journals were checked.
    pub journals: u64,
    /// How many payments.
    pub payments: u64,
}

/// Walks through every book.
pub fn audit(queries: &dyn Queries) -> Result<Report> {
    let bar = progress::counter("rows checked");
    let mut auditor = Auditor::default();
    let (mut journals, mut payments) = (0, 0);
    queries.walk_books_of_all(&mut |row| {
        bar.inc(1);
        match row {
            BookRow::Account(account) => auditor.account(account),
            BookRow::Journal(journal) => {
                journals += 1;
                auditor.journal(&journal);
            }
            BookRow::Hold(hold) => auditor.hold(&hold),
            BookRow::Payment(payment) => {
                payments += 1;
                auditor.payment(&payment);
            }
            BookRow::Refund(refund) => auditor.refund(&refund),
            BookRow::Receipt(receipt) => auditor.receipt(&receipt),
            BookRow::Event(event) => auditor.event(&event),
            BookRow::Batch(batch) => auditor.batch(&batch),
        }
        true
    })?;
    bar.finish_and_clear();
    let file = queries.check_file()?;
    Ok(Report { findings: auditor.finish(), file, journals, payments })
}

impl Report {
    /// Whether nothing was found.
    pub fn is_clean(&self) -> bool {
        self.findings.is_empty() && self.file.is_empty()
    }

    fn print(&self, as_json: bool) {
        if as_json {
            let findings: Vec<_> = self
                .findings
                .iter()
                .map(|f| {
                    let code = f.code.to_string();
                    json!({ "code": code, "subject": f.subject, "detail": f.detail })
                })
                .collect();
            let report = json!({
                "clean": self.is_clean(),
                "journals": self.journals,
                "payments": self.payments,
                "findings": findings,
                "file": self.file,
            });
            println!("{report}");
            return;
        }
        for finding in &self.findings {
            println!("{} {}: {}", finding.code, finding.subject, finding.detail);
        }
        for line in &self.file {
            println!("FILE {line}");
        }
        let Report { journals, payments, .. } = self;
        let verdict = match self.findings.len() + self.file.len() {
            0 => "clean".to_owned(),
            n => format!("{n} findings"),
        };
        println!("{verdict}: {payments} payments, {journals} journals checked");
    }
}
