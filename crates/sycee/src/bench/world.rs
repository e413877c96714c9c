//! The bench's servers and what they need: merchants, keys, payments made beforehand.

use std::net::SocketAddr;
use std::sync::Arc;

use anyhow::{Context, Result};
use dialects::pingpp::{Pingpp, PingppSettings};
use domain::command::{Admin, Command, Decided, OpenPayment, Start};
use domain::currency::Currency;
use domain::money::{Amount, BasisPoints, Money};
use domain::payment::Credential;
use domain::tenant::{
    ApiKey, App, AppChannel, Dialect, Endpoint, IdScheme, Merchant, MerchantKey, Mode, Route,
    Tenant,
};
use domain::text::{AppId, ChannelName, ChannelNumber, Echo, Note, OrderNo, PublicId, Subject};
use engine::{Engine, Parts, Running};
use server::{Limits, Site};
use sign::rsa::PrivateKey;
use store::{Queries, Store};
use tokio::sync::watch;
use tokio::task::JoinHandle;

use super::connector::BenchConnectors;
use super::nowhere::Nowhere;
use crate::ambient::{SystemClock, SystemEntropy};
use crate::temporary_folder::TemporaryFolder;

/// Fen of every payment.
pub const FEN: i64 = 100;
/// How the channel is called.
pub const CHANNEL: &str = "alipay_pc_direct";

/// One merchant of the bench.
pub struct Shop {
    /// Whose book.
    pub tenant: Tenant,
    /// Its app.
    pub app: App,
    /// Its route.
    pub route: Route,
    /// Its key's text.
    pub api_key: String,
    /// With which it signs.
    pub signer: PrivateKey,
}

/// A server of the bench.
pub struct World {
    /// Where it listens.
    pub address: SocketAddr,
    /// The door to state.
    pub engine: Arc<Engine>,
    /// Its merchants.
    pub shops: Vec<Shop>,
    running: Running,
    stop: watch::Sender<bool>,
    site: JoinHandle<std::io::Result<()>>,
    _folder: TemporaryFolder,
}

/// How a bench server is made.
#[derive(Clone, Copy, Debug, Default)]
pub struct Shape {
    /// How many merchants.
    pub shops: usize,
    /// Requests must be signed, answers are.
    pub signed: bool,
    /// Nothing is committed.
    pub nowhere: bool,
}

fn text<T, E: std::fmt::Display>(parsed: Result<T, E>) -> Result<T> {
    parsed.map_err(|e| anyhow::anyhow!("{e}"))
}

impl World {
    /// Starts a server on a store of its own.
    pub async fn start(shape: Shape) -> Result<World> {
        let folder = TemporaryFolder::create()?;
        let (store, queries) = store::sqlite::open(folder.path())?;
        let platform_key = Arc::new(PrivateKey::generate());
        let queries: Arc<dyn Queries> = queries;
        let (engine, running) = start_engine(Box::new(store), &queries, &platform_key)?;
        let signer = PrivateKey::generate();
        let mut shops = Vec::with_capacity(shape.shops);
        for number in 0..shape.shops {
            shops.push(make_shop(&engine, number, shape.signed, &signer).await?);
        }
        let (engine, running) = if shape.nowhere {
            // The same settings, read through the same queries; payments go nowhere.
            running.stop(engine).await;
            let app = shops.first().context("a bench needs a shop")?.app.clone();
            start_engine(Box::new(Nowhere { app }), &queries, &platform_key)?
        } else {
            (engine, running)
        };
        let settings = PingppSettings::default();
        let pingpp = Pingpp { engine: engine.clone(), platform_key, settings };
        let limits = Limits::default();
        let site = Site {
            engine: engine.clone(),
            pingpp: Arc::new(pingpp),
            simulator: None,
            test_clock: None,
            limits: limits.clone(),
        };
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await?;
        let address = listener.local_addr()?;
        let (stop, stopped) = watch::channel(false);
        let router = server::router(site);
        let site = tokio::spawn(server::serve(listener, router, limits, stopped));
        Ok(World { address, engine, shops, running, stop, site, _folder: folder })
    }

    /// Stops it and removes its data.
    pub async fn stop(self) -> Result<()> {
        let _ = self.stop.send(true);
        self.site.await??;
        self.running.stop(self.engine).await;
        Ok(())
    }

    /// Opens `count` payments past HTTP, spread over the shops, and tells their numbers.
    pub async fn prefill(&self, count: usize) -> Result<Vec<(usize, String, String)>> {
        const WAVE: usize = 512;
        let mut made = Vec::with_capacity(count);
        let mut begun = 0;
        while begun < count {
            let wave = WAVE.min(count - begun);
            let mut waiting = Vec::with_capacity(wave);
            for number in begun..begun + wave {
                let shop = number % self.shops.len();
                let command = self.open_command(&self.shops[shop], number)?;
                let engine = self.engine.clone();
                waiting.push((shop, tokio::spawn(async move { engine.submit(command).await })));
            }
            for (shop, answer) in waiting {
                match answer.await? {
                    Ok(Decided::Opened(payment)) => {
                        let number = payment.number.as_str().to_owned();
                        made.push((shop, number, payment.public_id.as_str().to_owned()));
                    }
                    other => anyhow::bail!("a payment was not opened: {other:?}"),
                }
            }
            begun += wave;
        }
        Ok(made)
    }

    fn open_command(&self, shop: &Shop, number: usize) -> Result<Command> {
        let order = format!("prefill{number}");
        let mut fresh = self.engine.fresh();
        Ok(Command::OpenPayment(Box::new(OpenPayment {
            tenant: shop.tenant,
            app: shop.app.id.clone(),
            dialect: Dialect::Pingpp,
            public_id: text(PublicId::parse(&format!("ch_{}", fresh.digits(24))))?,
            channel: text(ChannelName::parse(CHANNEL))?,
            route: shop.route.id,
            order_no: text(OrderNo::parse(&order))?,
            number: text(ChannelNumber::parse(&order))?,
            money: Money::new(text(Amount::new(FEN))?, Currency::CNY),
            fee: Amount::ZERO,
            subject: text(Subject::parse("Green tea"))?,
            body: text(Note::parse("Spring harvest, 100 g"))?,
            description: None,
            client_ip: "127.0.0.1".into(),
            echo: Echo::from_json(r#"{"extra":{},"metadata":{}}"#),
            expires: None,
            default_life_seconds: 86_400,
            start: Start::Ready(Credential::Page("https://pay.invalid/cashier?no=1".into())),
            request: None,
            created: self.engine.now(),
            fresh,
        })))
    }

    /// Registers an endpoint of the first shop.
    pub async fn add_endpoint(&self, url: &str) -> Result<()> {
        let shop = self.shops.first().context("a bench needs a shop")?;
        let endpoint = Endpoint {
            tenant: shop.tenant,
            app: shop.app.id.clone(),
            id: self.engine.id(),
            dialect: Dialect::Pingpp,
            url: url.into(),
            events: Vec::new(),
            created: self.engine.now(),
            disabled: false,
        };
        submit(&self.engine, Admin::PutEndpoint(endpoint)).await
    }
}

fn start_engine(
    store: Box<dyn Store>,
    queries: &Arc<dyn Queries>,
    platform_key: &Arc<PrivateKey>,
) -> Result<(Arc<Engine>, Running)> {
    let courier = channels::courier(channels::CourierSettings {
        allow_private: true,
        allow_plain_http: true,
        ports: channels::Ports::Any,
    });
    Ok(Engine::start(Parts {
        store,
        queries: queries.clone(),
        connectors: Arc::new(BenchConnectors),
        formats: dialects::formats(platform_key.clone()),
        courier,
        clock: Arc::new(SystemClock),
        entropy: Arc::new(SystemEntropy),
        node: 0,
        public_url: "http://127.0.0.1".into(),
        on_fatal: Box::new(|what| {
            eprintln!("sycee bench: {what}");
            std::process::exit(70);
        }),
    })?)
}

async fn submit(engine: &Engine, admin: Admin) -> Result<()> {
    engine.submit(Command::Admin(Box::new(admin))).await?;
    Ok(())
}

async fn make_shop(
    engine: &Engine,
    number: usize,
    signed: bool,
    signer: &PrivateKey,
) -> Result<Shop> {
    let merchant = Merchant {
        id: engine.id(),
        name: format!("shop {number}").into(),
        created: engine.now(),
        live_signature_required: false,
        test_signature_required: signed,
        sign_responses: signed,
        disabled: false,
    };
    let tenant = Tenant { merchant: merchant.id, mode: Mode::Test };
    submit(engine, Admin::PutMerchant(merchant)).await?;
    let route = Route {
        tenant,
        id: engine.id(),
        connector: "bench".into(),
        name: "bench".into(),
        settings: "".into(),
        version: 0,
        disabled: false,
    };
    submit(engine, Admin::PutRoute(route.clone())).await?;
    let channel = text(ChannelName::parse(CHANNEL))?;
    let app = App {
        merchant: tenant.merchant,
        id: text(AppId::parse(&format!("app_{number:016}")))?,
        display_name: "bench".into(),
        created: engine.now(),
        id_scheme: IdScheme::Digits,
        fee: BasisPoints::default(),
        channels: vec![AppChannel { mode: Mode::Test, channel, route: route.id }],
        disabled: false,
    };
    submit(engine, Admin::PutApp(app.clone())).await?;
    let api_key = format!("sk_test_{number:024}");
    let key = ApiKey {
        hash: sign::digest::sha256(api_key.as_bytes()),
        merchant: tenant.merchant,
        mode: Mode::Test,
        dialect: Dialect::Pingpp,
        hint: "bench".into(),
        created: engine.now(),
        revoked: None,
    };
    submit(engine, Admin::PutApiKey(key)).await?;
    if signed {
        let public = signer.public();
        let key = MerchantKey {
            tenant,
            fingerprint: public.fingerprint().into(),
            pem: public.to_spki_pem().into(),
            created: engine.now(),
            revoked: None,
        };
        submit(engine, Admin::PutMerchantKey(key)).await?;
    }
    Ok(Shop { tenant, app, route, api_key, signer: signer.clone() })
}
