//! `sycee serve`: listens until told to stop, then finishes what is queued.

use std::net::SocketAddr;
use std::process::ExitCode;
use std::sync::Arc;

use anyhow::{Context, Result};
use dialects::pingpp::{Pingpp, PingppSettings};
use domain::ambient::Clock;
use server::admin::socket;
use server::{Limits, Site, TestClockDesk};
use sign::rsa::PrivateKey;
use simulator::{MerchantApp, Simulator};
use tokio::net::TcpListener;
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::watch;
use tokio::task::JoinHandle;

use crate::arguments::Serve;
use crate::configuration::{Overrides, Settings};
use crate::demo_world::{self, DemoFile};
use crate::logging;
use crate::wiring::{self, Opened, Purpose};

/// Serves until SIGINT or SIGTERM.
pub fn run(arguments: Serve) -> Result<ExitCode> {
    wiring::refuse_database(arguments.data.database.as_deref())?;
    let overrides = Overrides {
        folder: arguments.data.data,
        listen: arguments.listen,
        public_url: arguments.public_url,
        time_scale: arguments.time_scale,
        log_filter: arguments.log,
    };
    let settings = Settings::load(arguments.data.config.as_deref(), overrides)?;
    logging::start(&settings.log)?;
    let purpose = if arguments.demo { Purpose::Demo } else { Purpose::Serve };
    wiring::runtime()?.block_on(async {
        // Signals are listened for before requests are answered: whoever saw us ready may end us.
        let signals = Signals::listen()?;
        let serving = start(&settings, purpose).await?;
        println!("sycee serves {}", serving.public_url);
        if let Some(demo) = &serving.demo {
            let folder = settings.data.folder.display();
            println!("demo credentials: {folder}/demo.json; simulator: {}", demo.simulator_url);
        }
        signals.any().await;
        tracing::info!("stopping: no new connections, finishing what is queued");
        serving.stop().await?;
        Ok(ExitCode::SUCCESS)
    })
}

/// A server that runs.
pub struct Serving {
    /// How the outside reaches it.
    pub public_url: String,
    /// The demo's credentials.
    pub demo: Option<DemoFile>,
    /// Everything inside.
    pub opened: Opened,
    stop: watch::Sender<bool>,
    site: JoinHandle<std::io::Result<()>>,
    beside: Vec<JoinHandle<()>>,
}

impl Serving {
    /// Stops accepting, finishes what runs, lets go of the folder.
    pub async fn stop(self) -> Result<()> {
        let _ = self.stop.send(true);
        self.site.await.context("the listener ended badly")??;
        for task in self.beside {
            let _ = task.await;
        }
        self.opened.stop().await;
        Ok(())
    }
}

/// Binds, opens and starts everything; returns when requests are answered.
pub async fn start(settings: &Settings, purpose: Purpose) -> Result<Serving> {
    let address = settings.listen_address()?;
    let listener = TcpListener::bind(address).await.with_context(|| {
        format!("cannot listen on {address}; is another server there? choose one with --listen")
    })?;
    let bound: SocketAddr = listener.local_addr()?;
    let public_url = settings.public_url(bound);
    let opened = wiring::open(settings, purpose, &public_url)?;
    let (stop, stopped) = watch::channel(false);
    let folder = settings.data.folder.clone();
    let mut beside = Vec::new();

    let (desk, on_socket) = (opened.desk.clone(), stopped.clone());
    let socket_folder = folder.clone();
    beside.push(tokio::spawn(async move {
        if let Err(error) = socket::listen(&socket_folder, desk, on_socket).await {
            tracing::error!(%error, "the admin socket cannot be served");
        }
    }));

    let simulator = match purpose {
        Purpose::Demo => Some(open_simulator(settings, &public_url, opened.clock.clone())?),
        Purpose::Serve | Purpose::Admin => None,
    };
    let mut demo = None;
    if let Some(simulator) = &simulator {
        let key = simulator.alipay_public_key();
        let file = demo_world::prepare(&opened.desk, &folder, &public_url, &key).await?;
        register(simulator, &file)?;
        beside.push(tokio::spawn(simulator.clone().run(stopped.clone())));
        demo = Some(file);
    }
    let pingpp = Arc::new(Pingpp {
        engine: opened.engine.clone(),
        platform_key: opened.platform_key.clone(),
        settings: PingppSettings {
            clock_skew_seconds: settings.pingpp.clock_skew_seconds,
            ..PingppSettings::default()
        },
    });
    let clock = opened.test_clock.clone().map(|clock| TestClockDesk {
        clock,
        engine: opened.engine.clone(),
        setting: wiring::CLOCK_OFFSET,
        on_move: hook(simulator.clone()),
    });
    let limits = Limits { connections_max: settings.listen.connections_max, ..Limits::default() };
    let site = Site {
        engine: opened.engine.clone(),
        pingpp,
        simulator: simulator.map(|s| s.router()),
        test_clock: clock,
        limits: limits.clone(),
    };
    let router = server::router(site);
    let site = tokio::spawn(server::serve(listener, router, limits, stopped));
    Ok(Serving { public_url, demo, opened, stop, site, beside })
}

fn hook(simulator: Option<Arc<Simulator>>) -> Arc<dyn Fn() + Send + Sync> {
    Arc::new(move || {
        if let Some(simulator) = &simulator {
            simulator.clock_moved();
        }
    })
}

fn open_simulator(
    settings: &Settings,
    public_url: &str,
    clock: Arc<dyn Clock>,
) -> Result<Arc<Simulator>> {
    let simulator = simulator::Settings {
        folder: Some(settings.data.folder.join("simulator")),
        base_url: format!("{public_url}/simulator"),
        merchants: Vec::new(),
        time_scale: settings.simulator.time_scale,
    };
    Simulator::open(simulator, clock).context("the simulator cannot start")
}

fn register(simulator: &Arc<Simulator>, demo: &DemoFile) -> Result<()> {
    let key = PrivateKey::from_pem(&demo.alipay.app_private_key).context("demo.json")?;
    let app = MerchantApp {
        app_id: demo.alipay.app_id.clone(),
        seller_id: demo.alipay.seller_id.clone(),
        seller_email: "demo@example.com".into(),
        app_public_key: key.public(),
        certificates: None,
    };
    simulator.register(app).context("the simulator does not take the demo app")
}

/// The two polite ways to end a process.
struct Signals {
    terminate: Signal,
    interrupt: Signal,
}

impl Signals {
    fn listen() -> Result<Signals> {
        let terminate = signal(SignalKind::terminate())?;
        Ok(Signals { terminate, interrupt: signal(SignalKind::interrupt())? })
    }

    async fn any(mut self) {
        tokio::select! {
            _ = self.terminate.recv() => {}
            _ = self.interrupt.recv() => {}
        }
    }
}
