//! The one binary: command line, configuration, wiring, signals. Holds no rule.

mod ambient;
mod arguments;
mod bench;
mod commands;
mod configuration;
mod demo_tour;
mod demo_world;
mod logging;
mod master_key;
mod progress;
mod temporary_folder;
mod wiring;

use std::process::ExitCode;

use clap::Parser;

use arguments::{Arguments, Command};

/// A request makes many small texts on one thread and drops them on another; the system's allocator
/// spends a sixth of the processor on that (docs/performance.md).
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    let result = match arguments.command {
        Command::Serve(serve) => commands::serve::run(serve),
        Command::Demo(demo) => commands::demo::run(demo),
        Command::Verify(verify) => return commands::verify::run(&verify),
        Command::Admin(admin) => commands::admin::run(admin),
        Command::Bench(bench) => bench::run(bench),
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
