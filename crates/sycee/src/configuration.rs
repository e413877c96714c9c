//! Settings from flags, environment, file and built-in defaults, in this order of precedence;
//! checked at start, with messages that say how to mend them.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use serde::Deserialize;

/// The documented defaults.
const DEFAULTS: &str = include_str!("default.toml");

/// Everything that can be set.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Settings {
    /// The listener.
    pub listen: ListenSettings,
    /// The data folder.
    pub data: DataSettings,
    /// Logs.
    pub log: LogSettings,
    /// The Ping++ face.
    pub pingpp: PingppSettings,
    /// Deliveries.
    pub webhooks: WebhookSettings,
    /// This process.
    pub node: NodeSettings,
    /// The simulator of a demo server.
    pub simulator: SimulatorSettings,
}

/// The listener.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ListenSettings {
    /// Address and port.
    pub address: String,
    /// How the outside reaches us; empty for the address.
    pub public_url: String,
    /// Connections at one time.
    pub connections_max: usize,
}

/// The data folder.
#[derive(Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DataSettings {
    /// Where it is.
    pub folder: PathBuf,
    /// The master key in hex, or empty for the file.
    pub master_key: String,
}

impl std::fmt::Debug for DataSettings {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "DataSettings {{ folder: {:?}, master_key: *** }}", self.folder)
    }
}

/// Logs.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LogSettings {
    /// Which lines.
    pub filter: String,
    /// In which form.
    pub format: LogFormat,
}

/// The form of log lines.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum LogFormat {
    /// For people.
    Text,
    /// For machines.
    Json,
}

/// The Ping++ face.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PingppSettings {
    /// How far a signed request's timestamp may be off.
    pub clock_skew_seconds: i64,
}

/// Deliveries.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct WebhookSettings {
    /// Private and loopback addresses.
    pub allow_private_addresses: bool,
    /// Plain http.
    pub allow_plain_http: bool,
    /// Ports; empty for the usual four.
    pub ports: Vec<u16>,
}

/// This process.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct NodeSettings {
    /// Its number, 0 to 63.
    pub number: u8,
}

/// The simulator.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SimulatorSettings {
    /// How much faster its schedules run.
    pub time_scale: u32,
}

/// What flags say; they win.
#[derive(Clone, Debug, Default)]
pub struct Overrides {
    /// `--data`.
    pub folder: Option<PathBuf>,
    /// `--listen`.
    pub listen: Option<String>,
    /// `--public-url`.
    pub public_url: Option<String>,
    /// `--time-scale`.
    pub time_scale: Option<u32>,
    /// `--log`.
    pub log_filter: Option<String>,
}

impl Settings {
    /// Reads and checks all settings.
    pub fn load(file: Option<&Path>, overrides: Overrides) -> Result<Settings> {
        let environment = config::Environment::with_prefix("SYCEE")
            .prefix_separator("__")
            .separator("__")
            .try_parsing(true)
            .list_separator(",")
            .with_list_parse_key("webhooks.ports");
        Settings::from_sources(file, environment, overrides)
    }

    fn from_sources(
        file: Option<&Path>,
        environment: config::Environment,
        overrides: Overrides,
    ) -> Result<Settings> {
        let mut builder = config::Config::builder()
            .add_source(config::File::from_str(DEFAULTS, config::FileFormat::Toml));
        if let Some(file) = file {
            builder = builder.add_source(config::File::from(file).format(config::FileFormat::Toml));
        }
        let text = |o: Option<&Path>| o.map(|p| p.display().to_string());
        let built = builder
            .add_source(environment)
            .set_override_option("data.folder", text(overrides.folder.as_deref()))?
            .set_override_option("listen.address", overrides.listen)?
            .set_override_option("listen.public_url", overrides.public_url)?
            .set_override_option("simulator.time_scale", overrides.time_scale)?
            .set_override_option("log.filter", overrides.log_filter)?
            .build()
            .context("the settings cannot be read")?;
        let settings: Settings = built.try_deserialize().context(
            "a setting is unknown or of the wrong kind; the documented file shows all of them",
        )?;
        settings.check()?;
        Ok(settings)
    }

    fn check(&self) -> Result<()> {
        self.listen_address()?;
        if self.node.number > 63 {
            bail!("node.number: must be 0 to 63, not {}", self.node.number);
        }
        if self.simulator.time_scale == 0 {
            bail!("simulator.time_scale: must be at least 1");
        }
        if self.pingpp.clock_skew_seconds < 0 {
            bail!("pingpp.clock_skew_seconds: must not be negative; 0 checks nothing");
        }
        let url = &self.listen.public_url;
        let is_web = url.starts_with("https://") || url.starts_with("http://");
        if !url.is_empty() && !is_web {
            bail!("listen.public_url: {url:?} must begin with https:// or http://");
        }
        Ok(())
    }

    /// Address and port of the listener.
    pub fn listen_address(&self) -> Result<SocketAddr> {
        self.listen.address.parse().with_context(|| {
            format!(
                "listen.address: {:?} must be an address and a port, such as 127.0.0.1:8420",
                self.listen.address
            )
        })
    }

    /// How the outside reaches us, without a slash at the end.
    pub fn public_url(&self, bound: SocketAddr) -> String {
        match self.listen.public_url.trim_end_matches('/') {
            "" => format!("http://{bound}"),
            url => url.to_owned(),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;
    use std::io::Write;

    use super::*;

    fn load(file: &str, environment: &[(&str, &str)], flags: Overrides) -> Result<Settings> {
        let mut toml = tempfile::NamedTempFile::new().unwrap();
        toml.write_all(file.as_bytes()).unwrap();
        let map: HashMap<String, String> =
            environment.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect();
        let source = config::Environment::with_prefix("SYCEE")
            .prefix_separator("__")
            .separator("__")
            .try_parsing(true)
            .list_separator(",")
            .with_list_parse_key("webhooks.ports")
            .source(Some(map));
        Settings::from_sources(Some(toml.path()), source, flags)
    }

    #[test]
    fn flags_win_over_environment_over_file_over_defaults() {
        let file = "[listen]\naddress = \"127.0.0.1:1\"\n[node]\nnumber = 7\n";
        let environment = [("SYCEE__LISTEN__ADDRESS", "127.0.0.1:2")];
        let nothing = Overrides::default();
        let flags = Overrides { listen: Some("127.0.0.1:3".into()), ..Overrides::default() };
        let address = |s: &Settings| s.listen.address.clone();
        assert_eq!(address(&load("", &[], nothing.clone()).unwrap()), "127.0.0.1:8420");
        assert_eq!(address(&load(file, &[], nothing.clone()).unwrap()), "127.0.0.1:1");
        let all = load(file, &environment, nothing).unwrap();
        assert_eq!((address(&all).as_str(), all.node.number), ("127.0.0.1:2", 7));
        assert_eq!(address(&load(file, &environment, flags).unwrap()), "127.0.0.1:3");
    }

    #[test]
    fn a_wrong_setting_is_named_with_advice() {
        let nothing = Overrides::default;
        for (file, words) in [
            ("[listen]\naddress = \"nowhere\"", "listen.address"),
            ("[listen]\npublic_url = \"pay.example.com\"", "listen.public_url"),
            ("[node]\nnumber = 64", "node.number"),
            ("[simulator]\ntime_scale = 0", "simulator.time_scale"),
            ("[pingpp]\nclock_skew_seconds = -1", "pingpp.clock_skew_seconds"),
            ("[listen]\nport = 1", "port"),
            ("[log]\nformat = \"xml\"", "format"),
        ] {
            let error = load(file, &[], nothing()).unwrap_err();
            assert!(format!("{error:#}").contains(words), "{file}: {error:#}");
        }
    }

    #[test]
    fn a_printed_setting_shows_no_key() {
        let settings = load("[data]\nmaster_key = \"c0ffee\"", &[], Overrides::default()).unwrap();
        assert!(!format!("{settings:?}").contains("c0ffee"));
    }
}
