//! The one binary: command line, configuration, wiring, signals. Holds no rule.

mod ambient;
mod arguments;
mod commands;
mod configuration;
mod logging;
mod master_key;
mod progress;
mod wiring;

use std::process::ExitCode;

use clap::Parser;

use arguments::{Arguments, Command};

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    let result = match arguments.command {
        Command::Serve(serve) => commands::serve::run(serve),
        Command::Demo(demo) => commands::demo::run(demo),
        Command::Verify(verify) => return commands::verify::run(&verify),
        Command::Admin(admin) => commands::admin::run(admin),
    };
    match result {
        Ok(code) => code,
        Err(error) => {
            // The chain of causes, outermost first: what failed, then why.
            eprintln!("sycee: {error:#}");
            ExitCode::FAILURE
        }
    }
}
