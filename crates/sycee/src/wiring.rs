//! Everything put together: store, keys, connectors, words, courier and engine.

use std::path::Path;
use std::sync::Arc;

use anyhow::{Context, Result, bail};
use channels::{CourierSettings, OpenSettings, Ports};
use domain::ambient::Clock;
use domain::channel::SettingsError;
use domain::tenant::Route;
use engine::test_clock::TestClock;
use engine::{Engine, Parts, Running};
use server::admin::{AdminDesk, route_settings_place};
use sign::rsa::PrivateKey;
use sign::seal::Sealer;
use store::Queries;

use crate::ambient::{SystemClock, SystemEntropy};
use crate::configuration::Settings;
use crate::master_key;

/// Under which name and for which place the platform's key is sealed.
const PLATFORM_KEY: &str = "platform_key";
/// Under which name the demo clock's offset is kept.
pub const CLOCK_OFFSET: &str = "test_clock_offset";

/// What a process opens a folder for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Purpose {
    /// One operator's command.
    Admin,
    /// Serving, with the public URL.
    Serve,
    /// Serving with a movable clock and loopback deliveries.
    Demo,
}

/// A folder in use.
pub struct Opened {
    /// The door to state.
    pub engine: Arc<Engine>,
    /// The readers.
    pub queries: Arc<dyn Queries>,
    /// What operators' operations need.
    pub desk: Arc<AdminDesk>,
    /// The platform's key.
    pub platform_key: Arc<PrivateKey>,
    /// The demo clock.
    pub test_clock: Option<Arc<TestClock>>,
    /// The clock that everything runs by.
    pub clock: Arc<dyn Clock>,
    running: Running,
}

impl Opened {
    /// Finishes what is queued and lets go of the folder.
    pub async fn stop(self) {
        let Opened { engine, desk, running, .. } = self;
        drop(desk);
        running.stop(engine).await;
    }
}

/// The stores that this build can use.
pub fn refuse_database(database: Option<&str>) -> Result<()> {
    match database {
        None => Ok(()),
        Some(_) => bail!(
            "--database: this build has the SQLite store only; use --data DIR (PostgreSQL is a \
             later store behind the same interface)"
        ),
    }
}

/// The asynchronous runtime: as many workers as cores.
pub fn runtime() -> Result<tokio::runtime::Runtime> {
    // One provider of cryptography for the whole process; a second installation is no harm.
    let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
    tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .context("the runtime cannot start")
}

/// Opens the folder of the settings. `public_url` is known once the listener is bound.
pub fn open(settings: &Settings, purpose: Purpose, public_url: &str) -> Result<Opened> {
    let folder = &settings.data.folder;
    let (store, queries) = store::sqlite::open(folder)?;
    let queries: Arc<dyn Queries> = queries;
    let configured = Some(settings.data.master_key.as_str()).filter(|k| !k.is_empty());
    let sealer = Arc::new(master_key::open(folder, configured)?);
    let platform_key = Arc::new(platform_key(&*queries, &sealer)?);
    let (clock, test_clock) = clock(&*queries, purpose)?;
    let connectors = channels::connectors(opener(sealer.clone()), clock.clone());
    let demo = purpose == Purpose::Demo;
    let courier = channels::courier(CourierSettings {
        allow_private: demo || settings.webhooks.allow_private_addresses,
        allow_plain_http: demo || settings.webhooks.allow_plain_http,
        ports: ports(settings, demo),
    });
    let (engine, running) = Engine::start(Parts {
        store: Box::new(store),
        queries: queries.clone(),
        connectors: connectors.clone(),
        formats: dialects::formats(platform_key.clone()),
        courier,
        clock: clock.clone(),
        entropy: Arc::new(SystemEntropy),
        node: settings.node.number,
        public_url: public_url.to_owned(),
        on_fatal: Box::new(|what| {
            tracing::error!(what, "a commit failed and its outcome is not known: exiting");
            std::process::exit(70);
        }),
    })?;
    let desk = Arc::new(AdminDesk {
        engine: engine.clone(),
        sealer,
        platform_key: platform_key.clone(),
        connectors,
    });
    Ok(Opened { engine, queries, desk, platform_key, test_clock, clock, running })
}

/// A demo's receivers listen on any port; otherwise the usual four, unless the settings say more.
fn ports(settings: &Settings, demo: bool) -> Ports {
    let ports = &settings.webhooks.ports;
    match (ports.is_empty(), demo) {
        (false, _) => Ports::These(ports.clone()),
        (true, true) => Ports::Any,
        (true, false) => Ports::Usual,
    }
}

/// The clock that everything runs by, and the same again where it can be moved.
type Clocks = (Arc<dyn Clock>, Option<Arc<TestClock>>);

fn clock(queries: &dyn Queries, purpose: Purpose) -> Result<Clocks> {
    let system: Arc<dyn Clock> = Arc::new(SystemClock);
    let offset = queries.setting(CLOCK_OFFSET)?;
    match purpose {
        Purpose::Demo => {
            let offset = offset.and_then(|o| o.parse().ok()).unwrap_or(0);
            let clock = Arc::new(TestClock::new(system, offset));
            Ok((clock.clone(), Some(clock)))
        }
        // A folder whose clock was moved holds times of the future; an operator's command on it
        // goes by the same clock.
        Purpose::Admin if offset.is_some() => {
            let offset = offset.and_then(|o| o.parse().ok()).unwrap_or(0);
            Ok((Arc::new(TestClock::new(system, offset)), None))
        }
        Purpose::Admin => Ok((system, None)),
        Purpose::Serve if offset.is_some() => {
            bail!("this folder belongs to a demo server (its clock was moved); add --demo")
        }
        Purpose::Serve => Ok((system, None)),
    }
}

fn opener(sealer: Arc<Sealer>) -> OpenSettings {
    Arc::new(move |route: &Route| {
        let wrong = || {
            SettingsError(
                "the settings do not open with this master key; restore master.key".into(),
            )
        };
        let place = route_settings_place(route.id);
        let plain = sealer.open(&place, &route.settings).map_err(|_| wrong())?;
        String::from_utf8(plain).map_err(|_| wrong())
    })
}

/// The platform's key pair: made at the first start, sealed in the store.
fn platform_key(queries: &dyn Queries, sealer: &Sealer) -> Result<PrivateKey> {
    let place = format!("setting/{PLATFORM_KEY}/value");
    if let Some(sealed) = queries.setting(PLATFORM_KEY)? {
        let pem = sealer.open(&place, &sealed).context(
            "the platform's key does not open with this master key; restore master.key from your \
             backup",
        )?;
        return PrivateKey::from_pem(std::str::from_utf8(&pem)?).context("the platform's key");
    }
    let key = PrivateKey::generate();
    queries.put_setting(PLATFORM_KEY, &sealer.seal(&place, key.to_pkcs8_pem().as_bytes()))?;
    Ok(key)
}

/// Writes a file that only its owner can read, whole or not at all.
pub fn write_private(path: &Path, text: &str) -> Result<()> {
    use std::io::Write;
    use std::os::unix::fs::OpenOptionsExt;
    let beside = path.with_extension("new");
    let mut file = std::fs::OpenOptions::new()
        .write(true)
        .create(true)
        .truncate(true)
        .mode(0o600)
        .open(&beside)
        .with_context(|| format!("cannot write {}", beside.display()))?;
    file.write_all(text.as_bytes())?;
    file.sync_all()?;
    std::fs::rename(&beside, path).with_context(|| format!("cannot write {}", path.display()))
}
