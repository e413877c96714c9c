//! `sycee demo`: a demo server, and one payment through every face, told step by step.

use std::process::ExitCode;

use anyhow::{Context, Result};

use crate::arguments::Demo;
use crate::commands::serve::{self, Serving};
use crate::commands::verify;
use crate::configuration::{Overrides, Settings};
use crate::demo_tour::{self, Told};
use crate::logging;
use crate::temporary_folder::TemporaryFolder;
use crate::wiring::{self, Purpose};

/// Runs the tour; stays up afterwards unless told to leave.
pub fn run(arguments: Demo) -> Result<ExitCode> {
    let temporary = match &arguments.data {
        Some(_) => None,
        None => Some(TemporaryFolder::create()?),
    };
    let folder = arguments.data.clone().or(temporary.as_ref().map(|t| t.path().to_owned()));
    let overrides = Overrides {
        folder,
        listen: Some(arguments.listen),
        log_filter: Some("warn".into()),
        ..Overrides::default()
    };
    let settings = Settings::load(None, overrides)?;
    logging::start(&settings.log)?;
    wiring::runtime()?.block_on(async {
        let serving = serve::start(&settings, Purpose::Demo).await?;
        let passed = tour(&serving).await;
        if let (Ok(told), false) = (&passed, arguments.exit) {
            invite(&serving, told);
            tokio::signal::ctrl_c().await?;
        }
        serving.stop().await?;
        match passed {
            Ok(_) => Ok(ExitCode::SUCCESS),
            Err(error) => {
                eprintln!("✗ {error:#}");
                Ok(ExitCode::FAILURE)
            }
        }
    })
}

async fn tour(serving: &Serving) -> Result<Told> {
    let demo = serving.demo.as_ref().context("the server has no demo world")?;
    println!("Sycee demo on {}", serving.public_url);
    let told = demo_tour::pingpp(&serving.opened.desk, demo).await?;
    let report = verify::audit(&*serving.opened.queries)?;
    anyhow::ensure!(report.is_clean(), "verify found {:?} {:?}", report.findings, report.file);
    let step = told.steps + 1;
    println!("{step:>2}. verify: {} journals checked, every fen is accounted for", report.journals);
    println!("Tour passed: {step} steps.");
    Ok(told)
}

fn invite(serving: &Serving, told: &Told) {
    let Some(demo) = &serving.demo else { return };
    println!();
    println!("Pay a charge yourself:   {}", told.cashier_url);
    println!("Trades at the simulator: {}/", demo.simulator_url);
    println!("API key:                 {}", demo.pingpp.api_key);
    println!("App:                     {}", demo.pingpp.app_id);
    println!();
    println!("Create another one:");
    println!(
        "  curl {}/v1/charges -u {}: -d 'order_no=shop'$(date +%s) \\\n    -d 'app[id]={}' \
         -d channel=alipay_qr -d amount=100 -d currency=cny \\\n    -d client_ip=127.0.0.1 \
         -d 'subject=Green tea' -d 'body=100 g'",
        serving.public_url, demo.pingpp.api_key, demo.pingpp.app_id
    );
    println!();
    println!("The server stays up until Ctrl-C.");
}
