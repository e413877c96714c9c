//! The command line.

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand, ValueEnum};

/// Self-hosted payment platform: one binary, one ledger.
#[derive(Debug, Parser)]
#[command(name = "sycee", version, about, max_term_width = 100)]
pub struct Arguments {
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
}

/// What to do.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Serve merchants, payers and channels
    Serve(Serve),
    /// Start a demo server, make one payment through every face, and stay up
    Demo(Demo),
    /// Check every fen of the ledger: 0 clean, 1 findings, 2 could not finish
    Verify(Verify),
    /// Make and change merchants, apps, keys, routes, endpoints; works on a running server too
    Admin(Admin),
    /// Measure: closed-loop load against servers that it starts itself
    Bench(Bench),
}

/// `sycee bench`.
#[derive(Args, Clone, Debug)]
pub struct Bench {
    /// A case to run; may stand several times; none means all
    #[arg(long = "case", value_name = "NAME")]
    pub cases: Vec<String>,
    /// Connections at one time
    #[arg(long, default_value_t = 64)]
    pub connections: usize,
    /// Seconds for each case
    #[arg(long, default_value_t = 5)]
    pub seconds: u64,
    /// Payments stored before each case begins
    #[arg(long, default_value_t = 0, value_name = "N")]
    pub prefill: usize,
    /// A postgres:// URL instead of SQLite
    #[arg(long, value_name = "URL")]
    pub database: Option<String>,
    /// Print one JSON object a line instead of a table with ratios
    #[arg(long)]
    pub json: bool,
}

/// Where the data is.
#[derive(Args, Clone, Debug, Default)]
pub struct Data {
    /// Folder of the SQLite store [default: ./sycee-data]
    #[arg(long, value_name = "DIR", global = true)]
    pub data: Option<PathBuf>,
    /// A postgres:// URL instead of a folder
    #[arg(long, value_name = "URL", conflicts_with = "data", global = true)]
    pub database: Option<String>,
    /// Settings file (TOML)
    #[arg(long, value_name = "FILE", global = true)]
    pub config: Option<PathBuf>,
}

/// `sycee serve`.
#[derive(Args, Clone, Debug)]
pub struct Serve {
    /// Where the data is.
    #[command(flatten)]
    pub data: Data,
    /// Address and port [default: 127.0.0.1:8420]
    #[arg(long, value_name = "ADDRESS:PORT")]
    pub listen: Option<String>,
    /// How merchants, payers and channels reach this server
    #[arg(long, value_name = "URL")]
    pub public_url: Option<String>,
    /// Run the channel simulator inside, make a demo merchant and write demo.json
    #[arg(long)]
    pub demo: bool,
    /// How much faster the simulator's notification schedules run
    #[arg(long, value_name = "N")]
    pub time_scale: Option<u32>,
    /// Log filter, such as info or debug
    #[arg(long, value_name = "FILTER")]
    pub log: Option<String>,
}

/// `sycee demo`.
#[derive(Args, Clone, Debug)]
pub struct Demo {
    /// Keep the data here instead of a folder that is removed at the end
    #[arg(long, value_name = "DIR")]
    pub data: Option<PathBuf>,
    /// Address and port
    #[arg(long, value_name = "ADDRESS:PORT", default_value = "127.0.0.1:8420")]
    pub listen: String,
    /// Leave after the tour, with status 0 only if every step and the check of the ledger passed
    #[arg(long)]
    pub exit: bool,
}

/// `sycee verify`.
#[derive(Args, Clone, Debug)]
pub struct Verify {
    /// Where the data is.
    #[command(flatten)]
    pub data: Data,
    /// Print one JSON object instead of lines
    #[arg(long)]
    pub json: bool,
}

/// `sycee admin`.
#[derive(Args, Clone, Debug)]
pub struct Admin {
    /// Where the data is.
    #[command(flatten)]
    pub data: Data,
    /// Print JSON in one line instead of indented
    #[arg(long, global = true)]
    pub json: bool,
    /// Number of the merchant; needed only where there are several
    #[arg(long, global = true, value_name = "NUMBER")]
    pub merchant: Option<i64>,
    /// What to do.
    #[command(subcommand)]
    pub command: AdminCommand,
}

/// Live or test.
#[derive(Clone, Copy, Debug, ValueEnum)]
pub enum ModeArgument {
    /// Real money
    Live,
    /// Play money
    Test,
}

/// What an operator can do.
#[derive(Clone, Debug, Subcommand)]
pub enum AdminCommand {
    /// Merchants
    #[command(subcommand)]
    Merchant(MerchantCommand),
    /// Apps of a merchant
    #[command(subcommand)]
    App(AppCommand),
    /// API keys: shown once, stored as hashes
    #[command(subcommand)]
    Key(KeyCommand),
    /// Public keys with which merchants sign requests
    #[command(subcommand)]
    PublicKey(PublicKeyCommand),
    /// Routes to channels, with their credentials
    #[command(subcommand)]
    Route(RouteCommand),
    /// Which channels an app may use
    #[command(subcommand)]
    Channel(ChannelCommand),
    /// Webhook endpoints
    #[command(subcommand)]
    Endpoint(EndpointCommand),
    /// Wallet users
    #[command(subcommand)]
    Member(MemberCommand),
    /// Deliveries of webhooks
    #[command(subcommand)]
    Delivery(DeliveryCommand),
    /// Show a tenant's ledger accounts
    Balances(Mode),
    /// Show the platform's public key, for merchants to check webhooks and answers
    PlatformKey,
    /// Count what waits: deliveries, unknown outcomes, work for people
    Backlog,
    /// Bring merchants, keys, charges and refunds along from another system (docs/import.md)
    Import {
        /// JSON file
        file: PathBuf,
    },
}

/// The mode of what is meant.
#[derive(Args, Clone, Debug)]
pub struct Mode {
    /// Live or test
    #[arg(long, value_enum, default_value = "live")]
    pub mode: ModeArgument,
}

/// Merchants.
#[derive(Clone, Debug, Subcommand)]
pub enum MerchantCommand {
    /// Make a merchant
    Add {
        /// Its name
        name: String,
    },
    /// Change its switches
    Set {
        /// Live writes must be signed
        #[arg(long, value_name = "BOOL")]
        live_signature_required: Option<bool>,
        /// Test writes must be signed
        #[arg(long, value_name = "BOOL")]
        test_signature_required: Option<bool>,
        /// Answers are signed
        #[arg(long, value_name = "BOOL")]
        sign_responses: Option<bool>,
        /// No call is served
        #[arg(long, value_name = "BOOL")]
        disabled: Option<bool>,
    },
    /// List merchants
    List,
}

/// Apps.
#[derive(Clone, Debug, Subcommand)]
pub enum AppCommand {
    /// Make an app
    Add {
        /// Its name
        name: String,
        /// Its id, to bring one along
        #[arg(long)]
        id: Option<String>,
        /// What the platform keeps, in ten-thousandths
        #[arg(long)]
        fee_bp: Option<u16>,
        /// Ids of its objects with letters and digits instead of digits
        #[arg(long)]
        alphanumeric_ids: bool,
    },
    /// Change an app
    Set {
        /// Its id
        app: String,
        /// Its name
        #[arg(long)]
        name: Option<String>,
        /// What the platform keeps, in ten-thousandths
        #[arg(long)]
        fee_bp: Option<u16>,
        /// Ids with letters and digits
        #[arg(long, value_name = "BOOL")]
        alphanumeric_ids: Option<bool>,
        /// Makes no new objects
        #[arg(long, value_name = "BOOL")]
        disabled: Option<bool>,
    },
    /// List apps
    List,
}

/// API keys.
#[derive(Clone, Debug, Subcommand)]
pub enum KeyCommand {
    /// Make a key
    Add(Mode),
    /// Revoke a key
    Revoke {
        /// The hint that `key list` shows
        hint: String,
    },
    /// List keys by their hints
    List,
}

/// Public keys.
#[derive(Clone, Debug, Subcommand)]
pub enum PublicKeyCommand {
    /// Register a key
    Add {
        /// PEM file
        file: PathBuf,
        /// For which mode.
        #[command(flatten)]
        mode: Mode,
    },
    /// Revoke a key
    Revoke {
        /// As told when it was registered, or its beginning
        fingerprint: String,
        /// For which mode.
        #[command(flatten)]
        mode: Mode,
    },
}

/// Routes.
#[derive(Clone, Debug, Subcommand)]
pub enum RouteCommand {
    /// Make a route
    Add {
        /// Its name
        name: String,
        /// alipay or balance
        #[arg(long)]
        connector: String,
        /// JSON file with the connector's settings (docs/operating.md)
        #[arg(long, value_name = "FILE")]
        settings: Option<PathBuf>,
        /// For which mode.
        #[command(flatten)]
        mode: Mode,
    },
    /// Change a route
    Set {
        /// Its number
        route: i64,
        /// JSON file with new settings, whole
        #[arg(long, value_name = "FILE")]
        settings: Option<PathBuf>,
        /// Carries no new payment
        #[arg(long, value_name = "BOOL")]
        disabled: Option<bool>,
        /// Of which mode.
        #[command(flatten)]
        mode: Mode,
    },
    /// List routes, without their settings
    List(Mode),
}

/// Channels.
#[derive(Clone, Debug, Subcommand)]
pub enum ChannelCommand {
    /// Let an app use channels
    Enable {
        /// The app's id
        #[arg(long)]
        app: String,
        /// The route's number
        #[arg(long)]
        route: i64,
        /// Channel names, such as alipay_wap
        #[arg(required = true)]
        channels: Vec<String>,
        /// In which mode.
        #[command(flatten)]
        mode: Mode,
    },
    /// Forbid an app channels
    Disable {
        /// The app's id
        #[arg(long)]
        app: String,
        /// Channel names
        #[arg(required = true)]
        channels: Vec<String>,
        /// In which mode.
        #[command(flatten)]
        mode: Mode,
    },
}

/// Endpoints.
#[derive(Clone, Debug, Subcommand)]
pub enum EndpointCommand {
    /// Register an endpoint
    Add {
        /// The app's id; needed only where there are several
        #[arg(long)]
        app: Option<String>,
        /// Where to send
        #[arg(long)]
        url: String,
        /// Event type, such as charge.succeeded; may stand several times; none means all
        #[arg(long = "event")]
        events: Vec<String>,
        /// Of which mode.
        #[command(flatten)]
        mode: Mode,
    },
    /// End an endpoint
    Remove {
        /// Its number
        endpoint: i64,
        /// Of which mode.
        #[command(flatten)]
        mode: Mode,
    },
    /// List endpoints
    List(Mode),
}

/// Wallet users.
#[derive(Clone, Debug, Subcommand)]
pub enum MemberCommand {
    /// Make a wallet user
    Add {
        /// The app's id; needed only where there are several
        #[arg(long)]
        app: Option<String>,
        /// The merchant's name for it
        user: String,
        /// May not pay
        #[arg(long)]
        disabled: bool,
        /// In which mode.
        #[command(flatten)]
        mode: Mode,
    },
    /// Bring a wallet to a stated balance, by an opening journal
    Balance {
        /// The app's id; needed only where there are several
        #[arg(long)]
        app: Option<String>,
        /// The merchant's name for the user
        user: String,
        /// Minor units: 100 is one yuan
        balance: i64,
        /// Currency
        #[arg(long)]
        currency: Option<String>,
        /// In which mode.
        #[command(flatten)]
        mode: Mode,
    },
}

/// Deliveries.
#[derive(Clone, Debug, Subcommand)]
pub enum DeliveryCommand {
    /// Show an event's deliveries with every try
    List {
        /// The event's id
        event: String,
        /// Of which mode.
        #[command(flatten)]
        mode: Mode,
    },
    /// Send an event's messages again
    Resend {
        /// The event's id
        event: String,
        /// Also those that were taken already
        #[arg(long)]
        all: bool,
        /// Of which mode.
        #[command(flatten)]
        mode: Mode,
    },
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory;

    #[test]
    fn the_command_line_is_consistent() {
        Arguments::command().debug_assert();
    }

    #[test]
    fn a_folder_and_a_database_exclude_each_other() {
        let both = ["sycee", "serve", "--data", "x", "--database", "postgres://x"];
        assert!(Arguments::try_parse_from(both).is_err());
        assert!(Arguments::try_parse_from(["sycee", "serve", "--demo"]).is_ok());
    }
}
